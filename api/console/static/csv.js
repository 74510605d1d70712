// readCSV reads a table with a heading (RFC 4180) as a list of objects.
export function readCSV(text) {
  const rows = [];
  let row = [];
  let value = '';
  let quoted = false;
  const end = () => { row.push(value); value = ''; };
  const endRow = () => { end(); if (row.length > 1 || row[0] !== '') rows.push(row); row = []; };
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character !== '"') value += character;
      else if (text[at + 1] === '"') { value += '"'; at += 1; } else quoted = false;
    } else if (character === '"' && value === '') quoted = true;
    else if (character === ',') end();
    else if (character === '\n') endRow();
    else if (character !== '\r') value += character;
  }
  if (quoted) throw new Error('The CSV file ends within a quoted value.');
  endRow();
  const heading = (rows.shift() ?? []).map((name) => name.trim());
  return rows.map((each, index) => {
    if (each.length !== heading.length) throw new Error(`Row ${index + 2} of the CSV file has ${each.length} values and the heading has ${heading.length}.`);
    return Object.fromEntries(each.map((item, place) => [heading[place], item]));
  });
}

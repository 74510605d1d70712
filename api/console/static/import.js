import { call, form } from './api.js';
import { readCSV } from './csv.js';
import { count, h, number, say } from './dom.js';
import { failed } from './parts.js';
import { acceptDrops, fitting } from './picture.js';
import { patient } from './search.js';

const columns = ['file', 'vendor_data', 'full_name', 'document_type', 'document_number', 'status', 'verification_date', 'session_id'];
const pictureEnding = /\.(jpe?g|png|webp|tiff?)$/i;
const together = 2; // pictures that are sent at once
const troublesShown = 200;

export function show(page, { signal }) {
  const found = h('div', {});
  const work = h('div', {});
  const take = async (files) => {
    work.replaceChildren();
    try {
      const entries = await readEntries(files);
      const start = h('button', { type: 'button', class: 'main', onclick: () => { found.replaceChildren(); run(entries, work, signal); } }, `Enrol ${count(entries.length, 'picture', 'pictures')}`);
      found.replaceChildren(h('p', {}, `Ready: ${count(entries.length, 'picture', 'pictures')}${entries.fromCSV ? ' of the CSV file' : ', each with the name of its folder, or else of its file, as reference'}.`), h('div', { class: 'actions' }, start));
      start.focus();
    } catch (error) {
      found.replaceChildren(failed(error));
    }
  };
  const chooser = (label, attributes) => {
    const input = h('input', { type: 'file', multiple: true, class: 'unseen', ...attributes, onchange: () => { if (input.files.length > 0) take([...input.files]); input.value = ''; } });
    input.id = `import-${label.replaceAll(' ', '-')}`;
    return [input, h('label', { for: input.id, class: 'button' }, label)];
  };
  const drop = h('div', { class: 'drop' }, chooser('Choose files', {}), chooser('Choose a folder', { webkitdirectory: true }), h('p', { class: 'hint' }, 'or drop pictures here, with or without a CSV file.'));
  acceptDrops(drop, take, signal);
  page.append(h('p', {}, 'Pictures alone, or pictures together with a CSV file that names them in a column ', h('code', {}, 'file'), '. It may also have the columns ',
    columns.slice(1).map((each, index) => [index > 0 ? ', ' : '', h('code', {}, each)]), '.'), drop, found, work,
  h('p', { class: 'soft' }, 'A picture that is sent again with the same details is enrolled once, so that an import can be stopped and begun again. For very many, “facesearch import” does the same from a terminal.'));
}

// readEntries says which pictures to enrol, with which details.
async function readEntries(files) {
  const table = files.find((each) => /\.csv$/i.test(each.name));
  const pictures = files.filter((each) => pictureEnding.test(each.name));
  if (pictures.length === 0) throw new Error('There is no picture among these files.');
  if (!table) return pictures.map((file) => ({ file, name: pathOf(file), fields: { vendor_data: personOf(file) } }));
  const rows = readCSV(await table.text());
  if (rows.length === 0) throw new Error('The CSV file has no rows.');
  for (const name of Object.keys(rows[0])) {
    if (!columns.includes(name)) throw new Error(`The CSV file has a column “${name}”, which is not known here.`);
  }
  if (!('file' in rows[0])) throw new Error('The CSV file has no column named file.');
  const byName = new Map(pictures.flatMap((each) => [[each.name, each], [pathOf(each), each]]));
  const entries = rows.map(({ file: name, ...fields }) => ({ file: byName.get(name) ?? byName.get(name.split('/').at(-1)), name, fields }));
  entries.fromCSV = true;
  return entries;
}

// pathOf is a file's place inside the folder that was chosen.
const pathOf = (file) => file.webkitRelativePath.split('/').slice(1).join('/') || file.name;

function personOf(file) {
  const [folder, ...rest] = pathOf(file).split('/');
  return rest.length > 0 ? folder : file.name.replace(pictureEnding, '');
}

async function run(entries, place, leaving) {
  const stopping = new AbortController();
  const signal = AbortSignal.any([leaving, stopping.signal]);
  const bar = h('progress', { max: entries.length, value: 0, 'aria-label': 'Progress of the import' });
  const words = h('p', {});
  const troubles = h('ul', { class: 'troubles' });
  const stop = h('button', { type: 'button', onclick: () => stopping.abort() }, 'Stop');
  place.replaceChildren(h('div', { class: 'card' }, bar, words, h('div', { class: 'actions' }, stop)), troubles);
  let at = 0;
  const sums = { enrolled: 0, known: 0, refused: 0 };
  const tell = () => {
    bar.value = sums.enrolled + sums.known + sums.refused;
    words.textContent = `${number(bar.value)} of ${number(entries.length)}: ${number(sums.enrolled)} enrolled, ${number(sums.known)} known already, ${number(sums.refused)} refused.`;
  };
  const worker = async () => {
    while (at < entries.length && !signal.aborted) {
      const entry = entries[at];
      at += 1;
      try {
        sums[await enrol(entry, signal)] += 1;
      } catch (error) {
        if (error.name === 'AbortError') return;
        if (error.status === 401 || error.status === undefined) { stopping.abort(); troubles.append(h('li', {}, error.message)); return; }
        sums.refused += 1;
        if (sums.refused <= troublesShown) troubles.append(h('li', {}, h('strong', {}, entry.name), ` ${error.message}`));
      }
      tell();
    }
  };
  tell();
  await Promise.all(Array.from({ length: together }, worker));
  if (leaving.aborted) return;
  const finished = bar.value === entries.length;
  stop.replaceWith(h('a', { class: 'button main', href: '#people' }, 'See the people'));
  say(finished ? `The import is done: ${words.textContent}` : 'The import is stopped.');
  words.prepend(finished ? 'Done. ' : 'Stopped. ');
}

async function enrol({ file, name, fields }, signal) {
  if (!file) throw Object.assign(new Error(`No file of the name ${name} was chosen.`), { status: 400 });
  const picture = await fitting(file).catch((cause) => { throw Object.assign(cause, { status: 400 }); });
  const id = fields.session_id || await nameOf(picture, fields);
  let status;
  await patient(() => call('POST', 'sessions/', { form: form({ portrait_image: picture, ...fields, session_id: id }), signal, onstatus: (got) => { status = got; } }), signal);
  return status === 201 ? 'enrolled' : 'known';
}

// nameOf names a session by what is enrolled, so that the same is enrolled once. A browser makes
// digests only behind https, or on this machine; elsewhere each import enrols anew.
async function nameOf(picture, fields) {
  if (!crypto.subtle) return '';
  const words = new TextEncoder().encode(JSON.stringify(Object.entries(fields).sort()));
  const data = await new Blob([await picture.arrayBuffer(), words]).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data)).slice(0, 16);
  digest[6] = (digest[6] & 0x0f) | 0x80; // version 8: made of a digest of our own
  digest[8] = (digest[8] & 0x3f) | 0x80;
  const hex = [...digest].map((each) => each.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

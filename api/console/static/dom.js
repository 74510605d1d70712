// Makes elements. Nothing here, or anywhere in the console, turns text into HTML.

const svgTags = new Set(['svg', 'path', 'rect', 'line', 'circle', 'text', 'g', 'title']);

// h makes an element: h('p', {class: 'soft', onclick: f}, 'text', otherElement, …).
export function h(tag, attributes, ...children) {
  const node = svgTags.has(tag)
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name.startsWith('--')) node.style.setProperty(name, value);
    else if (name === 'value' && 'value' in node) node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

let ids = 0;

// unique is an id for an element that a label or a description names.
export function unique(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

// say tells a screen reader what has happened.
export function say(text) {
  document.getElementById('said').textContent = text;
}

const shown = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

// time shows a moment in the viewer's zone, and in UTC on hover.
export function time(text) {
  if (!text) return '–';
  const moment = new Date(text);
  return h('time', { datetime: text, title: `${moment.toISOString().slice(0, 19).replace('T', ' ')} UTC` }, shown.format(moment));
}

const numbers = new Intl.NumberFormat();

export function number(value, digits) {
  if (digits === undefined) return numbers.format(value);
  return new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

// count names how many there are of something: count(1, 'match', 'matches').
export function count(value, one, many) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

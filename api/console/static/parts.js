// The parts that several pages are made of.
import { picture } from './api.js';
import { count, h, number, say, time, unique } from './dom.js';

const statusLooks = { Approved: 'good', 'In Review': 'fair', Declined: 'bad' };
const statusSigns = { Approved: '✓', 'In Review': '?', Declined: '✕' };

export function status(value) {
  return h('span', { class: `badge ${statusLooks[value] ?? ''}` }, h('span', { 'aria-hidden': 'true' }, statusSigns[value] ?? '·'), ` ${value}`);
}

export function blocklisted(yes) {
  return yes ? h('span', { class: 'badge block' }, h('span', { 'aria-hidden': 'true' }, '!'), ' On the blocklist') : null;
}

// What a similarity means; the bands are those of the API.
export function band(similarity) {
  if (similarity >= 90) return { look: 'strong', words: 'strong likelihood of the same person' };
  if (similarity >= 70) return { look: 'possible', words: 'possible match: look closely' };
  return { look: 'weak', words: 'likely different people' };
}

// similarity shows a percentage as a bar on a scale with the bands.
export function similarity(value) {
  const { look, words } = band(value);
  return h('div', { class: 'similarity' },
    h('p', {}, h('strong', {}, `${number(value, 1)} %`), ` ${words}`),
    h('div', { class: 'scale', 'aria-hidden': 'true' },
      h('div', { class: `bar ${look}`, '--value': `${value}%` }),
      h('span', { class: 'tick at70' }, '70'), h('span', { class: 'tick at90' }, '90')));
}

// worth says what an expected number of strangers means.
export function worth(falseMatches) {
  if (falseMatches === null || falseMatches === undefined) return null;
  let words;
  if (falseMatches >= 1) words = `In this gallery, about ${number(falseMatches, falseMatches < 10 ? 1 : 0)} strangers are expected to be this near: it may well be one of them.`;
  else if (falseMatches < 1e-6) words = 'In this gallery, fewer than one search in a million meets a stranger this near.';
  else words = `In this gallery, about one search in ${number(Number((1 / falseMatches).toPrecision(2)))} meets a stranger this near.`;
  return h('p', { class: 'worth' }, words);
}

// face is a square picture that takes its room before it is there.
export function face(address, words, large) {
  const look = large ? 'face large' : 'face';
  const source = picture(address);
  if (!source) return h('span', { class: `${look} none`, role: 'img', 'aria-label': `${words}: no picture is kept` }, 'no picture');
  return h('img', { class: look, src: source, alt: words, width: 96, height: 96, loading: 'lazy', decoding: 'async' });
}

export const severityWords = { error: 'Declines', warning: 'Asks for a review', information: 'For information' };

export function warnings(list) {
  if (list.length === 0) return null;
  return h('ul', { class: 'warnings', 'aria-label': 'Warnings' }, list.map((each) => h('li', { class: each.log_type },
    h('strong', {}, each.short_description), h('span', { class: 'soft' }, ` ${severityWords[each.log_type] ?? each.log_type}`),
    h('p', {}, each.long_description),
    more(each))));
}

function more({ risk, additional_data: data }) {
  if (!data) return null;
  if (risk === 'FACE_IN_BLOCKLIST') return h('p', {}, h('a', { href: `#person/${data}` }, 'Open the session on the blocklist'));
  return h('p', { class: 'soft' }, data.replaceAll('_', ' '));
}

// details is a list of names and values; values that are empty are left out.
export function details(rows) {
  return h('dl', { class: 'details' }, rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

export function sessionTitle(session) {
  return session.user_details?.name || session.vendor_data || `Session ${session.session_number}`;
}

export function documentWords(user) {
  return [user.document_type, user.document_number].filter(Boolean).join(' ');
}

// loading takes the place of what will be there, so that nothing moves when it comes.
export function loading(rows = 4, look = 'row') {
  const late = h('p', { class: 'soft late' }, 'Still loading: the server is slow to answer.');
  return h('div', { class: 'loading', 'aria-busy': 'true' }, h('p', { class: 'unseen' }, 'Loading…'),
    Array.from({ length: rows }, () => h('div', { class: `ghost ${look}` })), late);
}

export function empty(title, ...more) {
  return h('div', { class: 'empty' }, h('h2', {}, title), more);
}

// failed says what went wrong, and offers to try again.
export function failed(error, again) {
  return h('div', { class: 'failed', role: 'alert' }, h('p', {}, h('strong', {}, 'That did not work. '), error.message),
    again ? h('button', { type: 'button', onclick: again }, 'Try again') : null);
}

// load fills a place with what is asked for: loading first, then what show makes of it, or the
// error with a button that asks again.
export async function load(place, ask, show, waiting = loading()) {
  place.replaceChildren(waiting);
  try {
    place.replaceChildren(...[await show(await ask())].flat(Infinity).filter(Boolean));
  } catch (error) {
    if (error.name === 'AbortError') return;
    place.replaceChildren(failed(error, () => load(place, ask, show, waiting)));
  }
}

// busy runs something that a button asked for, once at a time, and shows in a place beside it
// what went wrong.
export async function busy(button, place, run) {
  if (button.getAttribute('aria-busy')) return undefined;
  button.setAttribute('aria-busy', 'true');
  place?.replaceChildren();
  try {
    return await run();
  } catch (error) {
    if (error.name !== 'AbortError') place?.replaceChildren(failed(error));
    return undefined;
  } finally {
    button.removeAttribute('aria-busy');
  }
}

// pager walks through a long list.
export function pager(offset, limit, total, address) {
  const last = Math.min(offset + limit, total);
  const step = (words, to, possible) => possible
    ? h('a', { class: 'button', href: address(to) }, words)
    : h('span', { class: 'button off', 'aria-disabled': 'true' }, words);
  const words = h('span', {}, total === 0 ? 'none' : `${number(offset + 1)} – ${number(last)} of ${number(total)}`);
  if (offset === 0 && total <= limit) return h('p', { class: 'pager soft' }, words);
  return h('nav', { class: 'pager', 'aria-label': 'Parts of the list' },
    step('Previous', Math.max(offset - limit, 0), offset > 0),
    words,
    step('Next', offset + limit, last < total));
}

// field is a labelled input; more is said below it.
export function field(label, input, hint) {
  const id = unique('field');
  input.id = id;
  if (hint) input.setAttribute('aria-describedby', `${id}-hint`);
  return h('div', { class: 'field' }, h('label', { for: id }, label), input,
    hint ? h('p', { class: 'hint', id: `${id}-hint` }, hint) : null);
}

export function checkbox(label, attributes) {
  const input = h('input', { type: 'checkbox', ...attributes });
  return { input, node: h('label', { class: 'check' }, input, ` ${label}`) };
}

export function choice(options, chosen, attributes) {
  return h('select', attributes, options.map(([value, words]) => h('option', { value, selected: value === chosen }, words)));
}

export const statuses = [['Approved', 'Approved'], ['In Review', 'In Review'], ['Declined', 'Declined']];

// confirm asks before something that cannot be undone; it resolves to what the form holds, or
// to null.
export function confirm({ title, body, action, danger, only }) {
  return new Promise((resolve) => {
    const id = unique('dialog');
    const form = h('form', { method: 'dialog' }, h('h2', { id }, title), body,
      h('div', { class: 'actions' }, h('button', { value: 'yes', class: danger ? 'danger' : 'main' }, action),
        only ? null : h('button', { value: 'no', autofocus: true, formnovalidate: true }, 'Cancel')));
    const dialog = h('dialog', { 'aria-labelledby': id, onclose: () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes' ? new FormData(form) : null);
    } }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}

// done tells everybody that something is done.
export function done(text) {
  say(text);
  document.querySelector('.done')?.remove();
  const node = h('p', { class: 'done fresh', 'aria-hidden': 'true' }, text);
  document.body.append(node);
  setTimeout(() => node.classList.remove('fresh'), 500); // what is said while a page is left stays on the next one
  setTimeout(() => node.remove(), 4000);
}

// sessionTable lists sessions, each with a link to its page.
export function sessionTable(list, caption, action) {
  return h('div', { class: 'table' }, h('table', { class: 'sessions' }, h('caption', { class: 'unseen' }, caption),
    h('thead', {}, h('tr', {}, ['Picture', 'Person', 'Reference', 'Status', 'Verified'].map((each) => h('th', { scope: 'col' }, each)),
      action ? h('th', { scope: 'col' }, 'Action') : null)),
    h('tbody', {}, list.map((session) => h('tr', {},
      h('td', { class: 'picture' }, face(session.portrait_image_url, '')),
      h('th', { scope: 'row' }, h('a', { href: `#person/${session.session_id}` }, sessionTitle(session)),
        h('div', { class: 'soft' }, `No. ${number(session.session_number)}`)),
      h('td', { 'data-name': 'Reference' }, session.vendor_data ?? h('span', { class: 'soft' }, 'none')),
      h('td', { 'data-name': 'Status' }, h('div', { class: 'badges' }, status(session.status), blocklisted(session.is_blocklisted))),
      h('td', { 'data-name': 'Verified' }, time(session.verification_date)),
      action ? h('td', {}, action(session)) : null)))));
}

export function matchCount(total, listed) {
  if (total === 0) return 'No match.';
  return listed < total ? `${count(total, 'match', 'matches')}, the nearest ${number(listed)} of them shown.` : `${count(total, 'match', 'matches')}.`;
}

// Saved searches that wait for somebody's decision, oldest first.
import { call } from './api.js';
import { count, h, say, time } from './dom.js';
import { outcome } from './outcome.js';
import { busy, checkbox, done, empty, face, field, load, loading } from './parts.js';

// The decisions: the key that makes one, the status that the search gets, and the words that
// begin its comment.
const decisions = [
  { key: 's', words: 'Same person', status: 'Declined', reason: 'same person', hint: 'Declined: this person is enrolled already.' },
  { key: 'd', words: 'Different person', status: 'Approved', reason: 'different person', hint: 'Approved: the matches are of others.' },
  { key: 'b', words: 'Blocklist', status: 'Declined', reason: 'blocklisted', block: true, hint: 'Declined, and the searched face is put on the blocklist.' },
];

const ahead = 20; // searches that are asked for at once
let keysOn = true;

export async function show(page, { signal }) {
  const place = h('div', {});
  page.append(place);
  const state = { list: [], total: 0, skipped: 0 };
  const fill = () => load(place, async () => {
    if (state.list.length === 0) await fetchMore(state, signal);
    const [first] = state.list;
    return first ? call('GET', `session/${first.request_id}/decision/`, { signal }) : null;
  }, (answer) => (answer ? review(answer, state, fill) : nothing(state, fill)), loading(1, 'tall'));
  document.addEventListener('keydown', (event) => {
    if (!keysOn || event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, textarea, select, dialog')) return;
    place.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)?.click();
  }, { signal });
  await fill();
}

async function fetchMore(state, signal) {
  const answer = await call('GET', 'searches/', { query: { status: 'In Review', order: 'oldest', limit: ahead, offset: state.skipped }, signal });
  state.list = answer.results;
  state.total = answer.count;
}

function nothing(state, fill) {
  if (state.skipped > 0) {
    return empty('That was the last one.', h('p', {}, `${count(state.skipped, 'search was', 'searches were')} left for later.`), h('button', { type: 'button', class: 'main', onclick: () => { state.skipped = 0; fill(); } }, 'Begin again'));
  }
  return empty('Nothing waits for a review.', h('p', {}, 'Saved searches whose status is In Review come here, the oldest first.'), h('a', { class: 'button', href: '#search' }, 'Search a picture'));
}

function review(answer, state, fill) {
  const [row] = state.list;
  const why = h('input', { type: 'text', maxlength: 900, autocomplete: 'off' });
  const trouble = h('div', {});
  const next = () => { state.list.shift(); return fill(); };
  const decide = (decision) => async () => {
    const comment = why.value.trim() ? `${decision.reason}: ${why.value.trim()}` : decision.reason;
    if (decision.block) await block(row);
    await call('PATCH', `session/${row.request_id}/update-status/`, { json: { new_status: decision.status, comment } });
    state.total -= 1;
    done(`${decision.words}: ${decision.status}.`);
    await next();
  };
  const buttons = decisions.map((decision) => {
    const button = h('button', { type: 'button', 'data-key': decision.key, class: decision.block ? 'danger' : 'main', title: decision.hint, onclick: () => busy(button, trouble, decide(decision)) }, decision.words, h('kbd', {}, decision.key.toUpperCase()));
    return button;
  });
  const skip = h('button', { type: 'button', 'data-key': 'n', onclick: () => busy(skip, trouble, async () => { state.skipped += 1; await next(); }) }, 'Next', h('kbd', {}, 'N'));
  const keys = checkbox('Single keys decide', { checked: keysOn, onchange: () => { keysOn = keys.input.checked; } });
  const probe = () => face(row.user_image_url, 'The searched face', true);
  say(`${count(state.total, 'search waits', 'searches wait')} for a review.`);
  return [h('p', { class: 'waiting' }, h('strong', {}, `${count(state.total, 'search waits', 'searches wait')} for a review.`), ' This one was made ', time(row.created_at), row.vendor_data ? `, with the reference ${row.vendor_data}` : '', '.'),
    h('div', { class: 'decide card' }, h('div', { class: 'actions' }, buttons, skip), field('Why', why, 'Recorded with the decision and with your key’s name. May be left out.'), keys.node, trouble),
    outcome(answer, { probe })];
}

// block puts the face of a saved search on the blocklist: as a declined session of its own, which
// is remembered in case that its second half has to be done again.
async function block(row) {
  row.blocked ??= (await call('POST', 'sessions/', { json: { request_id: row.request_id, status: 'Declined' } })).session_id;
  await call('POST', 'blocklist/add/', { json: { session_id: row.blocked, blocklist_face: true } });
}

// API keys, credits, and how many searches there were.
import { call } from './api.js';
import { count, h, number, time } from './dom.js';
import { busy, choice, confirm, done, empty, field, load, loading } from './parts.js';
import { chart } from './plot.js';

const scopes = [['search', 'Search only'], ['enrol', 'Search and enrol'], ['manage', 'Everything, and this console']];
const scopeWords = Object.fromEntries(scopes);

export async function show(page, { signal, viewer }) {
  const figures = h('div', {});
  const keys = h('div', {});
  page.append(figures, h('h2', {}, 'API keys'), keys);
  const fill = () => load(keys, () => call('GET', 'keys/', { signal }), (answer) => [table(answer.results, viewer, fill), creation(fill)], loading(3));
  await Promise.all([fill(), load(figures, () => Promise.all([
    call('GET', 'billing/balance/', { signal }), call('GET', 'usage/', { signal }), call('GET', 'settings/', { signal }),
  ]), usage, loading(1, 'plot'))]);
}

function table(list, viewer, fill) {
  if (list.length === 0) return empty('There is no key.');
  return h('div', { class: 'table' }, h('table', { class: 'keys' }, h('caption', { class: 'unseen' }, 'API keys'),
    h('thead', {}, h('tr', {}, ['Name', 'May', 'Made', 'Last used', 'State'].map((each) => h('th', { scope: 'col' }, each)))),
    h('tbody', {}, list.map((key) => h('tr', {},
      h('th', { scope: 'row' }, key.name || h('span', { class: 'soft' }, 'no name'), h('div', { class: 'soft' }, key.key_id)),
      h('td', { 'data-name': 'May' }, scopeWords[key.scope] ?? key.scope), h('td', { 'data-name': 'Made' }, time(key.created_at)),
      h('td', { 'data-name': 'Last used' }, key.last_used_at ? time(key.last_used_at) : h('span', { class: 'soft' }, 'never')),
      h('td', {}, state(key, viewer, fill)))))));
}

function state(key, viewer, fill) {
  if (key.revoked_at) return h('span', { class: 'badge' }, 'Revoked');
  if (key.expires_at && new Date(key.expires_at) < new Date()) return h('span', { class: 'badge' }, 'Expired');
  const trouble = h('div', {});
  const own = key.key_id === viewer.session.key_id;
  const button = h('button', { type: 'button', class: 'danger', 'aria-label': `Revoke the key ${key.name || key.key_id}`, onclick: async () => {
    const body = h('p', {}, `Whoever uses “${key.name || key.key_id}” is refused from now on. A revoked key cannot be used again.`, own ? h('strong', {}, ' You are signed in with this key: revoking it signs you out.') : '');
    if (!await confirm({ title: 'Revoke this key?', body, action: 'Revoke', danger: true })) return;
    await busy(button, trouble, async () => {
      await call('DELETE', `keys/${encodeURIComponent(key.key_id)}/`);
      done('The key is revoked.');
      await fill();
    });
  } }, 'Revoke');
  return [key.expires_at ? h('p', { class: 'hint' }, 'until ', time(key.expires_at)) : null, button, trouble];
}

function creation(fill) {
  const name = h('input', { type: 'text', maxlength: 200, required: true, autocomplete: 'off' });
  const scope = choice(scopes, 'search');
  const trouble = h('div', {});
  const button = h('button', { class: 'main' }, 'Create a key');
  const form = h('form', { class: 'filter', onsubmit: async (event) => {
    event.preventDefault();
    const made = await busy(button, trouble, () => call('POST', 'keys/', { json: { name: name.value.trim(), scope: scope.value } }));
    if (!made) return;
    await reveal(made);
    await fill();
  } }, field('What the key is for', name), field('It may', scope), button);
  return [form, trouble];
}

// reveal shows a key, this once.
async function reveal(made) {
  const copy = h('button', { type: 'button', onclick: async () => {
    await navigator.clipboard?.writeText(made.api_key).then(() => done('Copied.')).catch(() => {});
  } }, 'Copy');
  await confirm({ title: `The key “${made.name}”`, action: 'I have it', only: true, body: [
    h('p', {}, 'It is shown this once, and kept nowhere: the server has only its digest.'), h('code', { class: 'secret' }, made.api_key), navigator.clipboard ? h('p', {}, copy) : null] });
}

function usage([balance, { results }, { settings }]) {
  const sum = results.reduce((total, each) => total + each.searches, 0);
  const metered = settings.credits_metered.value;
  return [h('div', { class: 'figures' },
    h('div', { class: 'card' }, h('strong', {}, number(balance.credits ?? Number(balance.balance))), metered ? 'credits are left; a search or a comparison costs one' : 'credits; they are not metered, so that searches cost none'),
    h('div', { class: 'card' }, h('strong', {}, number(results.at(-1).searches)), results.at(-1).searches === 1 ? 'search saved today' : 'searches saved today'),
    h('div', { class: 'card' }, h('strong', {}, number(sum)), `${sum === 1 ? 'search' : 'searches'} saved in ${count(results.length, 'day', 'days')}`)), plot(results)];
}

// plot draws a bar for each day, from the first to the last.
function plot(days) {
  const most = Math.max(1, ...days.map((each) => each.searches));
  const format = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });
  const day = ({ date }) => format.format(new Date(date));
  return h('div', { class: 'card' }, chart({
    words: `Saved searches a day, at most ${number(most)}`,
    bars: days.map((each) => ({ height: each.searches / most, look: 'matched', title: `${day(each)}: ${number(each.searches)}` })),
    labels: [{ at: 0, words: day(days[0]) }, { at: 1, words: day(days.at(-1)) }],
    caption: `Searches a day, in UTC, at most ${number(most)}. Only searches that were saved, and not erased since, are counted.`,
  }));
}

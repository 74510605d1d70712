// People of the gallery who look alike, in groups to work through.
import { call, sleep } from './api.js';
import { count, h, number, say } from './dom.js';
import { blocklisted, busy, done, empty, face, failed, field, loading, pager, sessionTitle, similarity, status } from './parts.js';

const rows = 10;
const askEvery = 1000; // milliseconds, while everybody is compared

export async function show(page, { query, signal }) {
  const offset = Number(query.get('offset')) || 0;
  const least = h('input', { type: 'number', min: 1, max: 100, step: 0.1, value: query.get('similarity') ?? '' });
  const place = h('div', {});
  const find = async (fresh) => {
    place.replaceChildren(loading(3, 'tall'));
    try {
      place.replaceChildren(...groups(await compared({ similarity: query.get('similarity'), limit: rows, offset }, fresh, place, signal), offset, query));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(failed(error, () => find(false)));
    }
  };
  page.append(h('p', { class: 'soft' }, 'Everybody in the gallery is compared with everybody, and none is missed. Without a least similarity, the threshold in force is used.'), h('form', { class: 'filter', onsubmit: (event) => {
    event.preventDefault();
    const hash = `duplicates?${new URLSearchParams({ similarity: least.value })}`;
    if (location.hash === `#${hash}`) find(true);
    else location.hash = hash;
  } }, field('Least similarity in percent', least), h('button', { class: 'main' }, 'Compare everybody')), place);
  await find(false);
}

// compared asks until everybody is compared with everybody, and shows how far that has come.
async function compared(query, fresh, place, signal) {
  let bar = null;
  const words = h('p', {});
  for (let asked = { ...query, fresh: fresh ? 'true' : '' }; ; asked = query) {
    const answer = await call('GET', 'duplicates/', { query: asked, signal });
    if (answer.status === 'done') return answer;
    if (!bar) {
      bar = h('progress', { 'aria-label': 'How far the comparison has come' });
      place.replaceChildren(h('div', { class: 'card' }, bar, words));
    }
    bar.max = answer.sessions_total || 1;
    bar.value = answer.sessions_examined;
    words.textContent = `${number(answer.sessions_examined)} of ${number(answer.sessions_total)} sessions are compared with all before them.`;
    await sleep(askEvery, signal);
  }
}

function groups(answer, offset, query) {
  if (answer.count === 0) return [empty('Nobody looks like anybody else.', h('p', {}, `No two people of the ${count(answer.sessions_total, 'session', 'sessions')} in the gallery are at least ${number(answer.similarity_percentage, 1)} % similar.`))];
  const words = `${count(answer.count, 'group', 'groups')} of people who are at least ${number(answer.similarity_percentage, 1)} % similar.`;
  say(words);
  return [h('p', {}, h('strong', {}, words), ' The most similar first; pictures with the same reference count as one person.'),
    ...answer.results.map((each, index) => group(each, offset + index + 1)),
    pager(offset, rows, answer.count, (to) => `#duplicates?${new URLSearchParams({ similarity: query.get('similarity') ?? '', offset: to })}`)];
}

function group({ people, pairs }, place) {
  const sessions = new Map(people.flatMap((each) => each.sessions.map((session) => [session.session_id, session])));
  return h('section', { class: 'group' }, h('h2', {}, `Group ${number(place)}: ${count(people.length, 'person', 'people')}`),
    h('ul', { class: 'pairs' }, pairs.map((each) => h('li', { class: 'card' }, pair(each, sessions)))));
}

function pair(each, sessions) {
  const both = [sessions.get(each.session_id), sessions.get(each.other_session_id)];
  return [h('div', { class: 'sides' }, both.map((session) => (session ? side(session) : h('p', { class: 'soft' }, 'Erased since.')))),
    similarity(each.similarity_percentage),
    each.weak_bridge ? h('p', { class: 'hint' }, 'This pair alone holds the group together: look twice before you take them all for one person.') : null];
}

function side(session) {
  const trouble = h('div', {});
  const state = h('div', { class: 'badges' }, status(session.status), blocklisted(session.is_blocklisted));
  const name = sessionTitle(session);
  const decline = h('button', { type: 'button', 'aria-label': `Decline as duplicate: ${name}, No. ${session.session_number}`, onclick: () => busy(decline, trouble, async () => {
    const changed = await call('PATCH', `session/${session.session_id}/update-status/`, { json: { new_status: 'Declined', comment: 'duplicate' } });
    state.replaceChildren(status(changed.status));
    decline.disabled = true;
    done(`${name} is Declined, as a duplicate.`);
  }) }, 'Decline as duplicate');
  decline.disabled = session.status === 'Declined';
  return h('div', { class: 'side' }, face(session.portrait_image_url, `The face of ${name}`, true),
    h('h3', {}, h('a', { href: `#person/${session.session_id}` }, name)), h('p', { class: 'soft' }, `No. ${number(session.session_number)}`, session.vendor_data ? `, ${session.vendor_data}` : ''), state, decline, trouble);
}

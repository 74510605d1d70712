import { call } from './api.js';
import { count, h, number, say, time } from './dom.js';
import { outcomePage } from './searched.js';
import { blocklisted, busy, choice, confirm, details, documentWords, done, face, field, load, loading, sessionTable, sessionTitle, status, statuses } from './parts.js';
import { searchList } from './searches.js';

export async function show(page, context) {
  const { id, signal } = context;
  await load(page, () => call('GET', `session/${encodeURIComponent(id)}/decision/`, { signal }), (answer) => {
    if (answer.face_search) return outcomePage(answer, context);
    return person(answer, page, context);
  }, loading(1, 'tall'));
}

function person(session, page, context) {
  context.heading(sessionTitle(session));
  const again = (changed) => page.replaceChildren(person(changed, page, context));
  return h('div', {}, h('div', { class: 'person' },
    face(session.portrait_image_url, `The face of ${sessionTitle(session)}`, true),
    h('div', {}, h('div', { class: 'badges' }, status(session.status), blocklisted(session.is_blocklisted)),
      details([['Session', `No. ${number(session.session_number)}`], ['Reference', session.vendor_data],
        ['Document', documentWords(session.user_details)], ['Verified', time(session.verification_date)],
        ['Enrolled', time(session.created_at)], ['Comment', session.comment], ['ID', h('code', {}, session.session_id)]]))),
  h('div', { class: 'columns' }, statusForm(session, again), dangerous(session, again)), related(session, context));
}

function statusForm(session, again) {
  const chosen = choice(statuses, session.status, { name: 'status' });
  const comment = h('input', { type: 'text', maxlength: 1024, autocomplete: 'off' });
  const trouble = h('div', {});
  const button = h('button', { class: 'main' }, 'Change the status');
  return h('form', { class: 'card', onsubmit: (event) => {
    event.preventDefault();
    busy(button, trouble, async () => {
      const changed = await call('PATCH', `session/${session.session_id}/update-status/`, { json: { new_status: chosen.value, comment: comment.value } });
      again(changed);
      done(`The status is ${changed.status}.`);
    });
  } }, h('h2', {}, 'Status'), h('p', { class: 'soft' }, 'Searches compare with everybody who is Approved, and with everybody on the blocklist.'),
  field('Status', chosen), field('Why', comment, 'Kept with the session.'), trouble, h('div', { class: 'actions' }, button));
}

function dangerous(session, again) {
  const trouble = h('div', {});
  const listed = session.is_blocklisted;
  const block = h('button', { type: 'button', onclick: () => busy(block, trouble, async () => {
    const answer = listed ? await call('POST', 'blocklist/remove/', { json: { session_id: session.session_id, unblock_face: true } })
      : await call('POST', 'blocklist/add/', { json: { session_id: session.session_id, blocklist_face: true } });
    again(answer);
    done(listed ? 'Taken off the blocklist.' : 'Put on the blocklist.');
  }) }, listed ? 'Take off the blocklist' : 'Put on the blocklist');
  const erase = h('button', { type: 'button', class: 'danger', onclick: () => eraseAfterAsking(session, erase, trouble) }, 'Erase…');
  return h('div', { class: 'card' }, h('h2', {}, 'Blocklist and erasure'),
    h('p', { class: 'soft' }, listed ? 'Every search that finds this face is declined.' : 'On the blocklist, every search that finds this face is declined.'),
    h('div', { class: 'actions' }, block, erase), trouble);
}

// eraseAfterAsking says what goes before it goes.
async function eraseAfterAsking(session, button, trouble) {
  const name = sessionTitle(session);
  const reference = session.vendor_data;
  const body = [h('p', {}, 'For good, with no way back: the template and the kept picture, name, document and comment of session ', h('strong', {}, `No. ${number(session.session_number)}`), ` (${name}).`)];
  if (reference) {
    const all = await busy(button, trouble, () => call('GET', 'sessions/', { query: { vendor_data: reference, limit: 1 } }));
    if (!all) return;
    body.push(h('fieldset', {}, h('legend', {}, 'What to erase'),
      h('label', { class: 'check' }, h('input', { type: 'radio', name: 'what', value: 'session', checked: true }), ' only this session'),
      h('label', { class: 'check' }, h('input', { type: 'radio', name: 'what', value: 'owner' }), ` everything with the reference ${reference}: ${count(all.count, 'session', 'sessions')}, and every saved search with it`)));
  }
  const answer = await confirm({ title: `Erase ${name}?`, body, action: 'Erase for good', danger: true });
  if (!answer) return;
  await busy(button, trouble, async () => {
    if (answer.get('what') === 'owner') {
      const gone = await call('POST', 'users/delete/', { json: { vendor_data_list: [reference] } });
      done(`Erased: ${count(gone.sessions_deleted, 'session', 'sessions')} and ${count(gone.searches_deleted, 'saved search', 'saved searches')}.`);
    } else {
      await call('DELETE', `session/${session.session_id}/delete/`);
      done('The session is erased.');
    }
    location.hash = 'people';
  });
}

// related is everything else with the same reference.
function related(session, { signal }) {
  if (!session.vendor_data) return h('p', { class: 'soft' }, 'Without a reference, other pictures and searches of this person are not known.');
  const pictures = h('div', {});
  const searches = h('div', {});
  load(pictures, () => call('GET', 'sessions/', { query: { vendor_data: session.vendor_data, limit: 100 }, signal }), (answer) => {
    const others = answer.results.filter((each) => each.session_id !== session.session_id);
    return others.length === 0 ? h('p', { class: 'soft' }, 'This is the only one.') : sessionTable(others, 'Other pictures of this person');
  }, loading(1));
  load(searches, () => call('GET', 'searches/', { query: { vendor_data: session.vendor_data, limit: 100 }, signal }),
    (answer) => (answer.results.length === 0 ? h('p', { class: 'soft' }, 'No saved search has this reference.') : searchList(answer.results)), loading(1));
  say('');
  return [h('h2', {}, 'Other pictures with this reference'), pictures, h('h2', {}, 'Saved searches with this reference'), searches];
}

// One saved search.
import { call } from './api.js';
import { h, time } from './dom.js';
import { outcome } from './outcome.js';
import { busy, confirm, done, face, load, loading, status } from './parts.js';

export async function show(page, context) {
  const { id, signal } = context;
  await load(page, () => call('GET', `session/${encodeURIComponent(id)}/decision/`, { signal }), (answer) => outcomePage(answer, context), loading(1, 'tall'));
}

// outcomePage shows a saved search with what can be done with it.
export function outcomePage(answer, { heading }) {
  heading('Saved search');
  const address = answer.user_image_url;
  const probe = () => face(address, 'The searched face', true);
  const trouble = h('div', {});
  const erase = h('button', { type: 'button', class: 'danger', onclick: () => eraseSearch(answer.request_id, erase, trouble) }, 'Erase…');
  return h('div', {}, decisions(answer), outcome(answer, { probe }),
    h('p', { class: 'actions' }, answer.face_search.user_image.entities.length > 0
      ? h('a', { class: 'button', href: `#enrol?request=${answer.request_id}` }, 'Enrol this face') : null, erase), trouble);
}

// decisions says when the search was made, and what people have decided since.
function decisions({ created_at: made, vendor_data: reference, reviews }) {
  return [h('p', {}, 'Made ', time(made), reference ? ` with the reference ${reference}` : '', '.'),
    reviews.length === 0 ? null : h('ul', { class: 'reviews', 'aria-label': 'Decisions' }, reviews.map((each) => h('li', { class: 'card' },
      h('div', { class: 'badges' }, status(each.previous_status), ' → ', status(each.status)),
      h('p', {}, each.comment ?? h('span', { class: 'soft' }, 'no comment'), h('span', { class: 'soft' }, ' · ', each.reviewed_by_name ?? each.reviewed_by, ' · ', time(each.reviewed_at))))))];
}

async function eraseSearch(id, button, trouble) {
  const sure = await confirm({ title: 'Erase this search?', danger: true, action: 'Erase for good',
    body: h('p', {}, 'For good, with no way back: the searched face, its template and what the search found. Nobody who is enrolled is erased.') });
  if (!sure) return;
  await busy(button, trouble, async () => {
    await call('DELETE', `session/${id}/delete/`);
    done('The search is erased.');
    location.hash = 'queue';
  });
}

import { call, form, sleep } from './api.js';
import { h, say } from './dom.js';
import { outcome } from './outcome.js';
import { busy, checkbox, done, field, loading, matchCount } from './parts.js';
import { pictureInput, Upright } from './picture.js';

export function show(page, { signal }) {
  const rotate = checkbox('Try all four turns, when a picture may lie on its side');
  const save = checkbox('Keep this search', { checked: true });
  const reference = h('input', { type: 'text', maxlength: 1024, autocomplete: 'off' });
  const result = h('div', { class: 'result' });
  const trouble = h('div', {});
  let last = null;
  const again = h('button', { type: 'button', hidden: true, onclick: () => busy(again, trouble, () => search(last)) }, 'Search again');

  async function search(picture) {
    last = picture;
    again.hidden = false;
    trouble.replaceChildren();
    result.replaceChildren(loading(1, 'tall'));
    let answer;
    try {
      const body = form({ user_image: picture, rotate_image: String(rotate.input.checked), save_api_request: String(save.input.checked), vendor_data: reference.value });
      answer = await patient(() => call('POST', 'face-search/', { form: body, signal }), signal);
    } catch (error) {
      result.replaceChildren();
      throw error;
    }
    const { status, total_matches: total, matches, user_image: image } = answer.face_search;
    const upright = await Upright.read(picture, image.best_angle);
    const probe = () => (upright && image.entities.length > 0 ? upright.cut(image.entities[0].bbox, 'The searched face', true) : null);
    result.replaceChildren(
      upright ? '' : h('p', { class: 'soft' }, 'This browser cannot show this kind of picture; the faces in it are described below.'),
      outcome(answer, { probe, upright }), after(answer, save.input.checked));
    if (result.getBoundingClientRect().top > innerHeight / 2) result.scrollIntoView();
    say(`${status}. ${matchCount(total, matches.length)}`);
  }

  page.append(h('div', { class: 'ask' },
    pictureInput({ label: 'Choose a picture', take: search, signal }),
    h('fieldset', { class: 'options' }, h('legend', {}, 'How to search'), rotate.node, save.node,
      field('Reference', reference, 'Your own name for this search, if you like.'), again)), trouble, result);
}

// after says what can be done next with a search that is kept.
function after(answer, kept) {
  if (!kept || answer.face_search.user_image.entities.length === 0) return '';
  return h('p', { class: 'actions' }, h('a', { class: 'button', href: `#enrol?request=${answer.request_id}` }, 'Enrol this face'),
    h('a', { class: 'button', href: `#searched/${answer.request_id}` }, 'Open the saved search'));
}

// patient asks again, a few times, when the server is busy.
export async function patient(ask, signal) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if ((error.status !== 503 && error.status !== 429) || attempt === 4) throw error;
      done('The server is busy; trying again.');
      await sleep(Math.min(error.retryAfter || 1, 15) * 1000, signal);
    }
  }
}

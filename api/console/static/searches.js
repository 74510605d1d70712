// Lists saved searches.
import { h, time } from './dom.js';
import { face, matchCount, status } from './parts.js';

export function searchList(list) {
  return h('ul', { class: 'searches' }, list.map((each) => h('li', {}, h('a', { href: `#searched/${each.request_id}` },
    face(each.user_image_url, 'The searched face'),
    h('span', {}, h('span', { class: 'badges' }, status(each.status)), h('span', { class: 'line' }, time(each.created_at)),
      h('span', { class: 'line soft' }, each.vendor_data ?? matchCount(each.total_matches, each.total_matches)))))));
}

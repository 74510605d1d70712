// Shows what a search has found.
import { blocklisted, details, documentWords, face, matchCount, sessionTitle, similarity, status, warnings, worth } from './parts.js';
import { h, number, time } from './dom.js';

const statusMeaning = {
  Approved: 'Nothing speaks against it.',
  'In Review': 'A person should look at it.',
  Declined: 'It should not pass; the reason is below.',
};

// outcome shows a search's answer. probe makes the searched face as a picture; upright is the
// whole picture, when it is at hand.
export function outcome(answer, { probe, upright }) {
  const found = answer.face_search;
  const { entities, best_angle: angle } = found.user_image;
  return h('div', { class: upright ? 'outcome with-picture' : 'outcome' }, h('h2', { class: 'unseen' }, 'What was found'),
    upright ? h('section', { class: 'whole', 'aria-label': 'The picture' }, upright.figure(entities), faces(entities, angle)) : null,
    h('section', { class: 'found', 'aria-label': 'What was found' },
      h('div', { class: 'verdict' }, status(found.status), h('p', {}, h('strong', {}, matchCount(found.total_matches, found.matches.length)), ` ${answer.reviews?.length > 0 ? 'Somebody has decided.' : statusMeaning[found.status] ?? ''}`)),
      warnings(found.warnings),
      found.matches.length === 0 ? null : h('ol', { class: 'matches', 'aria-label': 'Matches, the nearest first' },
        found.matches.map((each) => h('li', {}, matchCard(each, probe)))),
      upright ? null : faces(entities, angle)));
}

// matchCard sets the searched face beside the one that it matches.
export function matchCard(match, probe) {
  const name = sessionTitle(match);
  return h('article', { class: 'card match' },
    h('div', { class: 'pair' },
      h('figure', {}, probe?.() ?? face(null, 'The searched face'), h('figcaption', {}, 'searched')),
      h('figure', {}, face(match.match_image_url, `The face of ${name}`, true), h('figcaption', {}, 'enrolled'))),
    h('div', { class: 'about' },
      h('h3', {}, h('a', { href: `#person/${match.session_id}` }, name)),
      h('div', { class: 'badges' }, status(match.status), blocklisted(match.is_blocklisted)),
      similarity(match.similarity_percentage), worth(match.expected_false_matches),
      details([['Session', `No. ${number(match.session_number)}`], ['Reference', match.vendor_data],
        ['Document', documentWords(match.user_details)], ['Verified', time(match.verification_date)]])));
}

function faces(entities, angle) {
  if (entities.length === 0) return h('p', { class: 'soft' }, 'No face was found in the picture.');
  const turned = angle === 0 ? null : h('p', { class: 'soft' }, `The picture was turned clockwise by ${angle}°.`);
  return [h('ol', { class: 'faces', 'aria-label': 'Faces in the picture, the largest first' }, entities.map((each, index) => h('li', {},
    index === 0 ? h('strong', {}, 'Searched: ') : null,
    [each.gender ?? 'gender unknown', each.age === null ? 'age unknown' : `about ${number(Number(each.age), 0)} years`,
      `${number(each.confidence * 100, 0)}\u00a0% sure that it is a face`].join(', ')))), turned];
}

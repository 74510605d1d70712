// What a threshold would do, before it is saved.
import { call } from './api.js';
import { count, h, number } from './dom.js';
import { load, loading, worth } from './parts.js';

const width = 640;
const height = 150;

// effect draws how similar the gallery's own faces are to what was searched, with the threshold in
// it, and says what the saved searches of the last week would have become.
export function effect({ threshold, strangers, inForce, signal }) {
  const node = h('div', { class: 'effect' });
  let answer = null;
  const update = () => { if (answer) node.replaceChildren(...draw(answer, threshold.read(), strangers.read(), inForce)); };
  const begin = () => load(node, () => call('GET', 'settings/effect/', { signal }), (got) => {
    answer = got;
    return draw(answer, threshold.read(), strangers.read(), inForce);
  }, loading(1, 'plot'));
  return { node, update, begin };
}

// auto is the threshold that "auto" would choose: the first at which no more strangers than asked
// for are expected, never under 70.
function auto(points, strangers) {
  return points.find((each) => each.similarity_percentage >= 70 && each.expected_false_matches <= strangers) ?? points.at(-1);
}

function draw(answer, value, strangers, inForce) {
  const { points } = answer;
  const at = value === 'auto' ? auto(points, strangers ?? 0.1) : points.findLast((each) => each.similarity_percentage <= (value ?? inForce.similarity_percentage)) ?? points[0];
  const chosen = value === 'auto' ? at.similarity_percentage : value ?? inForce.similarity_percentage;
  const least = points[0].similarity_percentage;
  const { approved, in_review: inReview, declined } = at.would_be;
  const lines = [h('p', { 'aria-live': 'polite' }, h('strong', {}, `At ${number(chosen, 1)} %: `), worth(at.expected_false_matches)?.textContent ?? '')];
  if (chosen < least) lines.push(h('p', { class: 'soft' }, `What a threshold under ${number(least)} % does is not told: these numbers are those of ${number(least)} %.`));
  if (answer.searches === 0) lines.push(h('p', { class: 'soft' }, 'No search was saved in the last seven days, so that there is nothing to compare with.'));
  else {
    lines.push(h('p', {}, `Of ${answer.searches < answer.searches_saved ? `the last ${number(answer.searches)} of ` : ''}${count(answer.searches_saved, 'search', 'searches')} saved in the last seven days, ${number(at.searches_matched)} would have had a match: ${number(approved)} would be Approved, ${number(inReview)} In Review and ${number(declined)} Declined (now ${number(answer.were.approved)}, ${number(answer.were.in_review)} and ${number(answer.were.declined)}).`), plot(points, chosen, inForce));
  }
  return lines;
}

// plot shows how many sessions of the gallery were how near to the searched faces.
function plot(points, chosen, inForce) {
  const [first, last] = [points[0].similarity_percentage, 100];
  const x = (similarity) => ((similarity - first) / (last - first)) * width;
  const most = Math.max(1, ...points.map((each) => each.sessions));
  const y = (sessions) => height - (Math.log1p(sessions) / Math.log1p(most)) * (height - 20);
  const step = width / points.length;
  const line = (similarity, look, words) => h('g', { class: look }, h('line', { x1: x(similarity), x2: x(similarity), y1: 0, y2: height }), h('text', { x: Math.min(x(similarity) + 4, width - 70), y: 11 }, words));
  return h('figure', {}, h('svg', { viewBox: `0 0 ${width} ${height + 20}`, role: 'img', 'aria-label': `How similar enrolled faces were to the searched ones; the threshold is at ${number(chosen, 1)} %.` },
    points.map((each) => h('rect', { class: each.similarity_percentage >= chosen ? 'matched' : 'below', x: x(each.similarity_percentage) + 0.5, width: Math.max(step - 1, 1), y: y(each.sessions), height: height - y(each.sessions) })),
    h('line', { class: 'base', x1: 0, x2: width, y1: height, y2: height }),
    [60, 70, 80, 90, 100].filter((each) => each >= first).map((each) => h('text', { x: each === 100 ? width : x(each), y: height + 15, 'text-anchor': each === 100 ? 'end' : each === first ? 'start' : 'middle' }, `${each} %`)),
    inForce.similarity_percentage === chosen ? null : line(inForce.similarity_percentage, 'was', 'now'), line(chosen, 'chosen', 'threshold')),
  h('figcaption', { class: 'soft' }, 'Enrolled faces by their similarity to the faces that were searched (logarithmic); from the threshold on they are matches.'));
}

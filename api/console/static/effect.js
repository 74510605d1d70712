// What a threshold would do, before it is saved.
import { call } from './api.js';
import { count, h, number } from './dom.js';
import { load, loading, worth } from './parts.js';
import { chart } from './plot.js';

// effect draws how similar the gallery's own faces are to what was searched, with the threshold in
// it, and says what the saved searches of the last week would have become.
export function effect({ threshold, strangers, rule, inForce, signal }) {
  const node = h('div', { class: 'effect' });
  let answer = null;
  const drawn = () => [rule?.read() === 'expected_false_matches' ? h('p', { class: 'soft' }, 'The threshold does not decide while the rule is expected_false_matches; these numbers are those of the rule similarity.') : '', ...draw(answer, threshold.read(), strangers.read(), inForce)];
  const update = () => { if (answer) node.replaceChildren(...drawn()); };
  const begin = () => load(node, () => call('GET', 'settings/effect/', { signal }), (got) => {
    answer = got;
    return drawn();
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
  const now = inForce.similarity_percentage;
  // The steps of the effect are coarser than what "auto" chooses.
  const same = value !== 'auto' ? value === null : Math.abs(at.similarity_percentage - now) < 0.5;
  const chosen = same ? now : value === 'auto' ? at.similarity_percentage : value;
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
  const least = points[0].similarity_percentage;
  const at = (similarity) => Math.max(0, (similarity - least) / (100 - least));
  const most = Math.max(1, ...points.map((each) => each.sessions));
  const now = inForce.similarity_percentage;
  return chart({
    words: `How similar enrolled faces were to the searched ones; the threshold is at ${number(chosen, 1)} %.`,
    bars: points.slice(0, -1).map((each, index) => {
      const sessions = each.sessions + (index === points.length - 2 ? points.at(-1).sessions : 0); // 100 % is in the last bar
      return { height: (Math.log1p(sessions) / Math.log1p(most)) * 0.95, look: each.similarity_percentage >= chosen ? 'matched' : 'below', title: `${number(each.similarity_percentage, 1)} %: ${number(sessions)}` };
    }),
    lines: [...(now === chosen ? [] : [{ at: at(now), look: 'was' }]), { at: at(chosen), look: 'chosen' }],
    labels: [60, 70, 80, 90, 100].filter((each) => each >= least).map((each) => ({ at: at(each), words: `${each} %` })),
    caption: ['How many enrolled faces were how similar to the faces that were searched, on a logarithmic scale. From the line on they are matches', now === chosen ? '.' : '; the dashed line is the threshold in force.'],
  });
}

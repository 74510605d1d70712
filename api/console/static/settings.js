import { call } from './api.js';
import { h, number } from './dom.js';
import { effect } from './effect.js';
import { busy, choice, done, load, loading } from './parts.js';

// The settings in groups, each with the words that a person reads; the rest comes from the API.
const groups = [
  ['When is it a match?', ['similarity_threshold', 'expected_false_matches', 'match_rule', 'show_expected_false_matches']],
  ['What follows', ['match_action', 'allow_multiple_faces', 'multiple_faces_severity', 'low_quality_severity', 'enrol_quality', 'max_matches']],
  ['What is kept', ['keep_picture', 'searches_days', 'sessions_days']],
  ['Limits', ['requests_per_minute', 'credits_metered']],
];

const titles = {
  expected_false_matches: 'Expected strangers', match_rule: 'What makes a match', show_expected_false_matches: 'Say how surprising each match is',
  match_action: 'A match makes the search', allow_multiple_faces: 'Allow several faces', multiple_faces_severity: 'Several faces', low_quality_severity: 'Low quality', enrol_quality: 'Portraits of low quality',
  max_matches: 'Matches listed at most', keep_picture: 'Picture that is kept', searches_days: 'Days to keep saved searches', sessions_days: 'Days to keep sessions',
  requests_per_minute: 'Requests a minute', credits_metered: 'Searches cost credits',
};
const title = (name) => titles[name] ?? spelled(name);
const spelled = (name) => { const words = name.replaceAll('_', ' '); return words[0].toUpperCase() + words.slice(1); };
const shown = (value) => (value === true ? 'yes' : value === false ? 'no' : String(value));

export async function show(page, { signal }) {
  await load(page, () => call('GET', 'settings/', { signal }), (answer) => form(answer, page, signal), loading(8));
}

function form(answer, page, signal) {
  const { settings, threshold_in_force: inForce } = answer;
  const inputs = Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, control(name, setting)]));
  const changes = h('div', { 'aria-live': 'polite' });
  const trouble = h('div', {});
  const save = h('button', { class: 'main', disabled: true }, 'Save');
  const picture = effect({ threshold: inputs.similarity_threshold, strangers: inputs.expected_false_matches, rule: inputs.match_rule, inForce, signal });
  const bar = h('div', { class: 'save card' }, changes, trouble, h('div', { class: 'actions' }, save,
    h('button', { type: 'button', onclick: () => page.replaceChildren(form(answer, page, signal)) }, 'Undo changes')));
  const different = () => Object.entries(inputs).filter(([name, input]) => input.read() !== settings[name].value);
  const tell = () => {
    const list = different();
    changes.replaceChildren(list.length === 0 ? h('p', { class: 'soft' }, 'Nothing is changed yet.')
      : h('ul', { class: 'changes' }, list.map(([name, input]) => h('li', {}, `${title(name)}: `, h('del', {}, shown(settings[name].value)), ' → ', h('ins', {}, shown(input.read()))))));
    save.disabled = list.length === 0;
    bar.classList.toggle('changed', list.length > 0);
    picture.update();
  };
  const others = Object.keys(inputs).filter((name) => !groups.some(([, names]) => names.includes(name)));
  const sections = [...groups, ['More', others]].map(([words, names]) => [words, names.filter((name) => name in inputs)]).filter(([, names]) => names.length > 0);
  const node = h('form', { class: 'settings', oninput: tell, onchange: tell, onsubmit: (event) => {
    event.preventDefault();
    busy(save, trouble, async () => {
      const changed = Object.fromEntries(different().map(([name, input]) => [name, input.read()]));
      const fresh = await call('PATCH', 'settings/', { json: changed });
      page.replaceChildren(form(fresh, page, signal));
      done('Saved.');
    });
  } }, sections.map(([words, names], index) => h('fieldset', { class: 'card' }, h('legend', {}, words),
    index === 0 ? h('p', { class: 'inforce' }, h('strong', {}, `In force: ${number(inForce.similarity_percentage, 1)} %. `), inForce.reason) : null,
    names.map((name) => inputs[name].node), index === 0 ? picture.node : null)),
  bar);
  tell();
  picture.begin();
  return node;
}

// control is the input of one setting; read gives its value as the API takes it.
function control(name, { value, default: usual, range, description }) {
  const id = `setting-${name}`;
  const described = { id, name, 'aria-describedby': `${id}-hint` };
  let input;
  let read;
  let extra = null;
  if (name === 'similarity_threshold') return threshold(value, range, description);
  if (typeof usual === 'boolean') {
    input = h('input', { type: 'checkbox', ...described, checked: value });
    read = () => input.checked;
  } else if (range.one_of && range.minimum === undefined) {
    input = choice(range.one_of.map((each) => [String(each), shown(each)]), String(value), described);
    read = () => range.one_of.find((each) => String(each) === input.value);
  } else {
    input = h('input', { type: 'number', ...described, min: range.minimum, max: range.maximum, step: range.whole ? 1 : 'any', value: String(value), required: true });
    read = () => (input.value === '' ? null : Number(input.value));
    extra = h('span', { class: 'soft' }, range.minimum > 0 && range.minimum < 0.001 ? ` up to ${number(range.maximum)}` : ` ${number(range.minimum)} to ${number(range.maximum)}`);
  }
  return { read, input, node: h('div', { class: 'field' }, h('label', { for: id }, title(name)), h('div', {}, input, extra), h('p', { class: 'hint', id: `${id}-hint` }, description, h('span', { class: 'usual' }, ` Usually ${shown(usual)}.`))) };
}

// threshold is the one setting that is a number or "auto".
function threshold(value, range, description) {
  const auto = h('input', { type: 'radio', name: 'threshold', value: 'auto', checked: value === 'auto' });
  const fixed = h('input', { type: 'radio', name: 'threshold', value: 'fixed', checked: value !== 'auto' });
  const slider = h('input', { type: 'range', min: 60, max: 100, step: 0.1, value: String(value === 'auto' ? 80 : value), 'aria-label': 'Threshold in percent, as a slider' });
  const exact = h('input', { type: 'number', min: range.minimum, max: range.maximum, step: 0.1, value: slider.value, 'aria-label': 'Threshold in percent' });
  if (value !== 'auto') exact.value = String(value);
  slider.addEventListener('input', () => { exact.value = slider.value; fixed.checked = true; });
  exact.addEventListener('input', () => { slider.value = exact.value; fixed.checked = true; });
  const read = () => (auto.checked ? 'auto' : exact.value === '' ? null : Number(exact.value));
  return { read, slider, node: h('fieldset', { class: 'threshold' }, h('legend', {}, 'Similarity threshold'), h('p', { class: 'hint' }, description),
    h('label', { class: 'check' }, auto, ' auto: it follows the size of the gallery'),
    h('label', { class: 'check' }, fixed, ' fixed at'), h('div', { class: 'slide' }, slider, exact, h('span', { class: 'soft' }, '%'))) };
}

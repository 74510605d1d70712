import { call, form } from './api.js';
import { h } from './dom.js';
import { busy, choice, details, done, field, statuses } from './parts.js';
import { pictureInput, Upright } from './picture.js';
import { patient } from './search.js';

export const enrolFields = [['vendor_data', 'Reference', 'Your own name for the person, such as a customer number.', 1024], ['full_name', 'Name', '', 256],
  ['document_type', 'Document', 'Such as Passport.', 256], ['document_number', 'Document number', 'Shown masked, with its last three characters.', 256]];

export function show(page, { query, signal }) {
  const request = query.get('request');
  let picture = null;
  const preview = h('div', { class: 'preview' }, h('p', { class: 'soft' }, request ? 'The face of the saved search is enrolled.' : 'No picture yet.'));
  const inputs = Object.fromEntries(enrolFields.map(([name, , , longest]) => [name, h('input', { type: 'text', name, maxlength: longest, autocomplete: 'off' })]));
  const status = choice(statuses, 'Approved', { name: 'status' });
  const trouble = h('div', {});
  const button = h('button', { class: 'main' }, 'Enrol');
  const take = async (file) => {
    picture = file;
    const upright = await Upright.read(file, 0);
    preview.replaceChildren(upright ? upright.figure([]) : h('p', {}, `${file.name}: this browser cannot show this kind of picture, which can still be enrolled.`));
  };
  page.append(h('form', { class: 'columns', onsubmit: (event) => {
    event.preventDefault();
    busy(button, trouble, async () => {
      if (!request && !picture) throw new Error('Choose a picture first.');
      const values = { status: status.value };
      for (const [name, input] of Object.entries(inputs)) if (input.value.trim()) values[name] = input.value.trim();
      const session = await patient(() => call('POST', 'sessions/', request ? { json: { request_id: request, ...values }, signal } : { form: form({ portrait_image: picture, ...values }), signal }), signal);
      done('Enrolled.');
      location.hash = `person/${session.session_id}`;
    });
  } }, h('section', { 'aria-label': 'Picture' }, request ? null : pictureInput({ label: 'Choose a picture', take, signal }), preview),
  h('section', { class: 'card', 'aria-label': 'Details' }, enrolFields.map(([name, label, hint]) => field(label, inputs[name], hint)),
    field('Status', status, 'Only who is Approved, or on the blocklist, is found by searches.'), trouble, h('div', { class: 'actions' }, button))));
}

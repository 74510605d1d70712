import { call, form } from './api.js';
import { h } from './dom.js';
import { busy, done, empty, field, load, loading, pager, sessionTable, sessionTitle } from './parts.js';
import { pictureInput, Upright } from './picture.js';
import { patient } from './search.js';

const rows = 25;

export async function show(page, { query, signal }) {
  const offset = Number(query.get('offset')) || 0;
  const list = h('div', {});
  const fill = () => load(list, () => call('GET', 'blocklist/', { query: { limit: rows, offset }, signal }), (answer) => {
    if (answer.count === 0) return empty('Nobody is on the blocklist.', h('p', {}, 'A search that finds a face on the blocklist is declined, whatever else it finds.'));
    return [sessionTable(answer.results, 'Blocklist', (session) => removal(session, fill)), pager(offset, rows, answer.count, (to) => `#blocklist?offset=${to}`)];
  }, loading(4));
  page.append(h('details', { class: 'card add' }, h('summary', {}, 'Add a face by picture'), addition(fill, signal)), list);
  await fill();
}

function removal(session, fill) {
  const trouble = h('div', {});
  const button = h('button', { type: 'button', 'aria-label': `Take off: ${sessionTitle(session)}`, onclick: () => busy(button, trouble, async () => {
    await call('POST', 'blocklist/remove/', { json: { session_id: session.session_id, unblock_face: true } });
    done('Taken off the blocklist.');
    await fill();
  }) }, 'Take off');
  return [button, trouble];
}

// addition puts a face on the blocklist that is known only as a picture.
function addition(fill, signal) {
  let picture = null;
  const preview = h('div', { class: 'preview' });
  const comment = h('input', { type: 'text', maxlength: 1024, autocomplete: 'off' });
  const reference = h('input', { type: 'text', maxlength: 1024, autocomplete: 'off' });
  const trouble = h('div', {});
  const button = h('button', { class: 'danger' }, 'Put on the blocklist');
  const take = async (file) => {
    picture = file;
    preview.replaceChildren((await Upright.read(file, 0))?.figure([]) ?? h('p', {}, file.name));
  };
  return h('form', { onsubmit: (event) => {
    event.preventDefault();
    busy(button, trouble, async () => {
      if (!picture) throw new Error('Choose a picture first.');
      await patient(() => call('POST', 'blocklist/faces/', { form: form({ image: picture, comment: comment.value, vendor_data: reference.value }), signal }), signal);
      picture = null;
      preview.replaceChildren();
      done('Put on the blocklist.');
      await fill();
    });
  } }, pictureInput({ label: 'Choose a picture', take, signal }), preview, field('Why', comment), field('Reference', reference), trouble, h('div', { class: 'actions' }, button));
}

import { call } from './api.js';
import { h } from './dom.js';
import { choice, empty, field, load, loading, pager, sessionTable, statuses } from './parts.js';

const rows = 25;

// What a search of people may go by; the value is the API's name for it.
const ways = [['name', 'Name'], ['vendor_data', 'Reference'], ['session_number', 'Number']];

export async function show(page, { query, signal }) {
  const offset = Number(query.get('offset')) || 0;
  const way = ways.find(([name]) => query.get(name))?.[0] ?? 'name';
  const by = choice(ways, way, { name: 'by' });
  const words = h('input', { type: 'search', name: 'words', value: query.get(way) ?? '', autocomplete: 'off' });
  const status = choice([['', 'Any'], ...statuses], query.get('status') ?? '', { name: 'status' });
  const form = h('form', { class: 'filter', role: 'search', onsubmit: (event) => {
    event.preventDefault();
    location.hash = `people?${new URLSearchParams({ [by.value]: words.value.trim(), status: status.value })}`;
  } }, field('Search by', by), field('Search for', words), field('Status', status), h('button', { class: 'main' }, 'Search'));
  const list = h('div', {});
  page.append(h('p', { class: 'actions' }, h('a', { class: 'button main', href: '#enrol' }, 'Enrol somebody'), h('a', { class: 'button', href: '#import' }, 'Import many')), form, list);

  const filter = { status: query.get('status'), [way]: query.get(way) };
  const address = (to) => `#people?${new URLSearchParams({ [way]: query.get(way) ?? '', status: query.get('status') ?? '', offset: to })}`;
  await load(list, () => call('GET', 'sessions/', { query: { ...filter, limit: rows, offset }, signal }), (answer) => {
    if (answer.results.length > 0) return [sessionTable(answer.results, 'People'), pager(offset, rows, answer.count, address)];
    if (query.get(way) || query.get('status')) return empty('Nobody is like that.', h('p', {}, way === 'vendor_data' ? 'A reference has to be given whole.' : 'Try fewer words, or another status.'), h('a', { class: 'button', href: '#people' }, 'Show everybody'));
    return empty('Nobody is enrolled yet.', h('p', {}, 'People who are enrolled here are who searches compare with.'), h('a', { class: 'button main', href: '#enrol' }, 'Enrol somebody'));
  }, loading(8));
}

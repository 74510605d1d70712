// Who is signed in, which page is shown, and the way between pages. The page is what stands
// behind the # of the address, such as #people?status=Approved.
import { signIn, signOut, whenSignedOut, whoIsSignedIn } from './api.js';
import { h, say } from './dom.js';
import { failed, field } from './parts.js';

const pages = {
  search: { title: 'Search', module: () => import('./search.js') },
  queue: { title: 'Queue', module: () => import('./queue.js') },
  people: { title: 'People', module: () => import('./people.js') },
  blocklist: { title: 'Blocklist', module: () => import('./blocklist.js') },
  duplicates: { title: 'Duplicates', module: () => import('./duplicates.js') },
  settings: { title: 'Settings', module: () => import('./settings.js') },
  keys: { title: 'Keys and usage', module: () => import('./keys.js') },
  start: { title: 'Start here', module: () => import('./start.js') },
  person: { title: 'Person', within: 'people', module: () => import('./person.js') },
  enrol: { title: 'Enrol somebody', within: 'people', module: () => import('./enrol.js') },
  import: { title: 'Import many', within: 'people', module: () => import('./import.js') },
  searched: { title: 'Saved search', within: 'queue', module: () => import('./searched.js') },
};

const main = document.getElementById('main');
const nav = document.getElementById('nav');
const menu = document.getElementById('menu');

// viewer is who is signed in. typedKey is the key as it was typed into this page, to be shown in
// the examples; it is kept nowhere else.
const viewer = { session: null, typedKey: '' };
let leaving = new AbortController();

function where() {
  const [path, query] = location.hash.slice(1).split('?');
  const [name, id] = path.split('/');
  return { name: name || 'home', id: id ? decodeURIComponent(id) : '', query: new URLSearchParams(query) };
}

function title(text) {
  document.title = `${text} · facesearch`;
}

async function show(moveFocus) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  setMenu(false);
  document.querySelector('.done:not(.fresh)')?.remove();
  const at = where();
  if (at.name === 'home') {
    const { home } = await import('./start.js');
    const target = await home(signal).catch((error) => { if (!signal.aborted) main.replaceChildren(failed(error, () => show(true))); });
    // The address may be another already, and its hashchange still to come.
    if (target && !signal.aborted && where().name === 'home') {
      history.replaceState(null, '', `#${target}`);
      show(moveFocus && !nav.contains(document.activeElement)); // whoever is in the menu by now stays there
    }
    return;
  }
  const page = pages[at.name];
  const heading = h('h1', { tabindex: -1 }, page?.title ?? 'There is no such page');
  title(heading.textContent);
  for (const link of nav.querySelectorAll('a')) {
    const here = link.hash === `#${page?.within ?? at.name}`;
    if (here) link.setAttribute('aria-current', page?.within ? 'true' : 'page');
    else link.removeAttribute('aria-current');
  }
  const place = h('div', { 'aria-busy': 'true' });
  main.replaceChildren(heading, place);
  if (moveFocus) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  if (!page) {
    place.removeAttribute('aria-busy');
    place.append(h('p', {}, 'The menu leads to every page that there is.'));
    return;
  }
  try {
    const module = await page.module();
    if (signal.aborted) return;
    place.removeAttribute('aria-busy'); // a page says by itself what it waits for
    await module.show(place, { ...at, signal, viewer, heading: (text) => { heading.textContent = text; title(text); } });
  } catch (error) {
    if (error.name === 'AbortError' || signal.aborted) return;
    place.removeAttribute('aria-busy');
    place.replaceChildren(failed(error, () => show(true)));
  }
}

function setMenu(open) {
  menu.setAttribute('aria-expanded', String(open));
  nav.classList.toggle('open', open);
}

function showNav(session) {
  nav.replaceChildren(h('div', {},
    h('ul', {}, Object.entries(pages).filter(([, page]) => !page.within)
      .map(([name, page]) => h('li', {}, h('a', { href: `#${name}` }, page.title)))),
    h('div', { class: 'who' }, h('p', { class: 'soft' }, 'Signed in with the key ', h('strong', {}, session.key_name || session.key_id)),
      h('button', { type: 'button', onclick: leave }, 'Sign out'), h('a', { href: '../docs' }, 'API documentation'))));
  nav.hidden = false;
  menu.hidden = false;
}

async function leave() {
  await signOut().catch(() => {});
  showSignIn('You are signed out.');
}

// showSignIn takes the place of every page.
function showSignIn(why) {
  leaving.abort();
  viewer.session = null;
  viewer.typedKey = '';
  nav.hidden = true;
  menu.hidden = true;
  document.body.classList.add('signed-out');
  title('Sign in');
  const input = h('input', { type: 'password', name: 'key', required: true, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'off' });
  const place = h('div', {});
  const button = h('button', { class: 'main' }, 'Sign in');
  main.replaceChildren(h('form', { class: 'signin', onsubmit: async (event) => {
    event.preventDefault();
    button.setAttribute('aria-busy', 'true');
    try {
      const key = input.value.trim();
      const session = await signIn(key);
      viewer.typedKey = key;
      enter(session);
    } catch (error) {
      place.replaceChildren(failed(error));
      input.select();
    } finally {
      button.removeAttribute('aria-busy');
    }
  } }, h('h1', {}, 'Sign in'), why ? h('p', { class: 'soft' }, why) : null,
  field('API key', input, 'A key that may manage an application. The server prints the first one at its first start; “facesearch keys create” makes more.'),
  place, h('div', { class: 'actions' }, button)));
  if (why) say(why);
  input.focus();
}

function enter(session, moveFocus = true) {
  viewer.session = session;
  viewer.base = session.base;
  document.body.classList.remove('signed-out');
  showNav(session);
  show(moveFocus);
}

whenSignedOut(() => { if (viewer.session) showSignIn('Your sign-in has ended. Sign in again to go on.'); });
menu.addEventListener('click', () => setMenu(menu.getAttribute('aria-expanded') !== 'true'));
document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => { if (viewer.session) show(true); });
addEventListener('keydown', (event) => { if (event.key === 'Escape') setMenu(false); });

async function begin() {
  try {
    const session = await whoIsSignedIn();
    if (!session.signed_in) return showSignIn('');
    return enter(session, false);
  } catch (error) {
    main.replaceChildren(h('h1', {}, 'facesearch'), failed(error, begin));
    return undefined;
  }
}

begin();

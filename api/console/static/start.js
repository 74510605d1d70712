import { call } from './api.js';
import { h } from './dom.js';
import { done } from './parts.js';

// home is the page to begin with: this one while nobody is enrolled.
export async function home(signal) {
  const list = await call('GET', 'sessions/', { query: { limit: 1 }, signal });
  return list.count === 0 ? 'start' : 'search';
}

const languages = [['curl', 'curl'], ['python', 'Python'], ['javascript', 'JavaScript']];

// Each step in each language; b is the server's address and k the key.
const steps = [
  { title: 'Enrol somebody', words: 'A picture with one face, and your own reference for the person.', lines: {
    curl: (b, k) => `curl ${b}/v3/sessions/ -H 'x-api-key: ${k}' \\\n  -F portrait_image=@photo.jpg -F vendor_data=user-1`,
    python: (b, k) => `import requests\n\nheaders = {"x-api-key": "${k}"}\nprint(requests.post(\n    "${b}/v3/sessions/", headers=headers,\n    files={"portrait_image": open("photo.jpg", "rb")},\n    data={"vendor_data": "user-1"},\n).json())`,
    javascript: (b, k) => `import { readFile } from "node:fs/promises";\n\nconst headers = { "x-api-key": "${k}" };\nconst body = new FormData();\nbody.set("portrait_image", new Blob([await readFile("photo.jpg")]), "photo.jpg");\nbody.set("vendor_data", "user-1");\nconst answer = await fetch("${b}/v3/sessions/", { method: "POST", headers, body });\nconsole.log(await answer.json());`,
  } },
  { title: 'Search for the same face', words: 'Another picture of the same person, or the same one.', lines: {
    curl: (b, k) => `curl ${b}/v3/face-search/ -H 'x-api-key: ${k}' \\\n  -F user_image=@photo.jpg`,
    python: (b, k) => `import requests\n\nheaders = {"x-api-key": "${k}"}\nprint(requests.post(\n    "${b}/v3/face-search/", headers=headers,\n    files={"user_image": open("photo.jpg", "rb")},\n).json()["face_search"]["status"])`,
    javascript: (b, k) => `import { readFile } from "node:fs/promises";\n\nconst headers = { "x-api-key": "${k}" };\nconst body = new FormData();\nbody.set("user_image", new Blob([await readFile("photo.jpg")]), "photo.jpg");\nconst answer = await fetch("${b}/v3/face-search/", { method: "POST", headers, body });\nconsole.log((await answer.json()).face_search.status);`,
  } },
  { title: 'See who is enrolled', words: 'The same list is here under People; the search you made is in the Queue when it needs a review.', lines: {
    curl: (b, k) => `curl ${b}/v3/sessions/ -H 'x-api-key: ${k}'`,
    python: (b, k) => `import requests\n\nprint(requests.get("${b}/v3/sessions/", headers={"x-api-key": "${k}"}).json()["count"])`,
    javascript: (b, k) => `const answer = await fetch("${b}/v3/sessions/", { headers: { "x-api-key": "${k}" } });\nconsole.log((await answer.json()).count);`,
  } },
];

export function show(page, { viewer }) {
  const key = viewer.typedKey || 'YOUR_API_KEY';
  const list = h('ol', { class: 'steps' });
  const chosen = h('fieldset', { class: 'languages' }, h('legend', { class: 'unseen' }, 'Language'),
    languages.map(([value, words], index) => h('label', {}, h('input', { type: 'radio', name: 'language', value, checked: index === 0, onchange: () => fill(value) }), h('span', {}, words))));
  const fill = (language) => list.replaceChildren(...steps.map((step) => {
    const text = step.lines[language](viewer.base, key);
    return h('li', {}, h('h2', {}, step.title), h('p', {}, step.words), h('div', { class: 'code' },
      h('pre', { tabindex: 0, role: 'region', 'aria-label': `${step.title}, as code` }, h('code', {}, text)), h('button', { type: 'button', onclick: (event) => copy(event, text) }, 'Copy')));
  }));
  fill('curl');
  page.append(h('p', {}, 'Three steps from nothing to a search. Or do the same here: ', h('a', { href: '#enrol' }, 'enrol somebody'), ', then ', h('a', { href: '#search' }, 'search'), '.'),
    viewer.typedKey ? h('p', { class: 'soft' }, 'The lines hold the key that you signed in with, until this page is closed.')
      : h('p', { class: 'soft' }, 'Put your key in place of YOUR_API_KEY: this page does not know it, because it was typed in before the page was loaded again.'),
    chosen, list);
}

async function copy(event, text) {
  try {
    await navigator.clipboard.writeText(text);
    done('Copied.');
  } catch {
    getSelection().selectAllChildren(event.target.closest('.code').querySelector('code'));
    done('Selected; copy it with your keyboard.');
  }
}

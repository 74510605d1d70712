// Calls the API as the key that the viewer is signed in with. The key itself is not needed: the
// browser has a cookie, which no script can read.

// A Refusal is an answer that is no success; its message is the API's own sentence.
export class Refusal extends Error {
  constructor(status, body, retryAfter) {
    super(body?.detail ?? `The server answered ${status}, and not as the API does.`);
    this.status = status;
    this.code = body?.error ?? '';
    this.retryAfter = retryAfter; // seconds
  }
}

// onSignedOut is called when the server no longer knows who this is.
let onSignedOut = () => {};
export function whenSignedOut(f) { onSignedOut = f; }

async function ask(method, address, { json, form, signal, onstatus } = {}) {
  const headers = { 'X-Facesearch-Console': '1' };
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(address, { method, headers, signal, body: json === undefined ? form : JSON.stringify(json) });
  } catch (cause) {
    if (cause.name === 'AbortError') throw cause;
    throw new Error('The server cannot be reached. Check that it is running and that you are online.', { cause });
  }
  onstatus?.(response.status);
  if (response.status === 204) return null;
  let body = null;
  if (response.headers.get('Content-Type')?.startsWith('application/json')) body = await response.json();
  if (response.ok && body !== null) return body;
  throw new Refusal(response.status, body, Number(response.headers.get('Retry-After')) || 0);
}

// call asks the API: call('GET', 'sessions/', {query: {limit: 25}}).
export async function call(method, path, options = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== '' && value !== null && value !== undefined) query.set(name, value);
  }
  const behind = query.size > 0 ? `?${query}` : '';
  try {
    return await ask(method, `api/v3/${path}${behind}`, options);
  } catch (error) {
    if (error.status === 401) onSignedOut();
    throw error;
  }
}

export const whoIsSignedIn = () => ask('GET', 'session');
export const signIn = (key) => ask('POST', 'session', { json: { api_key: key } });
export const signOut = () => ask('DELETE', 'session');

// picture is the address of a picture on this page's own server, whatever name that has.
export function picture(address) {
  if (!address) return null;
  const url = new URL(address, location.href);
  return url.pathname + url.search;
}

// form makes a form of its non-empty values.
export function form(values) {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) {
    if (value === '' || value === null || value === undefined) continue;
    if (value instanceof Blob) data.append(name, value, value.name ?? 'picture.jpg');
    else data.append(name, value);
  }
  return data;
}

export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => { clearTimeout(timer); reject(new DOMException('', 'AbortError')); }, { once: true });
  });
}

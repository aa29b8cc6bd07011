// Calls to the service, each with the header by which it knows our own script.

export const $ = (id) => document.getElementById(id);

/** Where the script is: whether there is a session, and which view is asked for now. */
export const state = { isSignedIn: false, turn: 0, onSignedOut: () => {} };

export async function call(path, { method = 'GET', body, signal } = {}) {
  const headers = { 'nds-page': '1' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const text = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, headers, body: text, signal, cache: 'no-store' });
  if (response.status === 401 && path !== 'session') state.onSignedOut();
  return response;
}

/** The piece of HTML, or nothing if something else was asked for meanwhile. */
export async function piece(path, options) {
  const mine = state.turn;
  const response = await call(path, options);
  const text = response.ok ? await response.text() : await faultOf(response);
  if (mine !== state.turn) return undefined;
  if (!response.ok) {
    if (response.status !== 401) tell(text);
    return undefined;
  }
  return text;
}

export async function faultOf(response) {
  try {
    const { detail, errors = [] } = await response.json();
    return [detail, ...errors.map(({ field, message }) => `${field} ${message}`)].join(' ');
  } catch {
    return `The service answers ${response.status}.`;
  }
}

export function tell(text) {
  $('told').textContent = text;
}

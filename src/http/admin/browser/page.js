// The page of nds: asks the service for pieces of HTML, puts them in their places, and keeps the place in the address.

import { $, call, faultOf, piece, state, tell } from './calls.js';
import { follow, place, refreshLog, setPlace, showNow, unfollow } from './now.js';

const view = $('view');
/** How often endpoints are asked for while nobody is in their midst. */
const ENDPOINTS_MS = 10_000;
/** What must not stand in the address: a token, a webhook URL, a name. */
let asked = '';
/** The answer that is shown. */
let answered;

/** Again: what is shown, as it is now; who types the next question meanwhile is not disturbed. */
async function show({ isAgain = false } = {}) {
  state.turn += 1;
  if (!state.isSignedIn) return;
  const { name, query } = place();
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `nds: ${name}`;
  if (name !== 'find') answered = undefined;
  if (name !== 'find' && !isAgain) $('q').value = '';
  if (name === 'find') await showFound(query.get('q') ?? asked, isAgain);
  else if (name === 'devices') await showDevices(query);
  else if (name === 'callers') fill(await piece('view/callers'));
  else if (name === 'endpoints') await showEndpoints(query);
  else await showNow(query);
}

function fill(html) {
  if (html !== undefined) view.innerHTML = html;
}

async function showFound(q, isAgain) {
  if (!isAgain) $('q').value = q;
  if (q === '') {
    fill('<p>Type what you look for into the field above.</p>');
    return;
  }
  const html = await piece('view/find', { method: 'POST', body: { q } });
  // What is read and marked stays as it is.
  if (html !== answered) fill(html);
  answered = html ?? answered;
  const found = view.querySelector('article')?.dataset.asked ?? 'this ';
  if (html !== undefined && !found.startsWith('this '))
    setPlace('find', new URLSearchParams({ q }));
}

/** A search is a place of its own, to which the browser goes back. */
function search(q) {
  asked = q;
  tell('');
  history.pushState(null, '', '#find');
  return show();
}

async function showDevices(query, q = query.get('q') ?? '') {
  const cursor = query.has('cursor') ? { cursor: Number(query.get('cursor')) } : {};
  fill(await piece('view/devices', { method: 'POST', body: { q, ...cursor } }));
  const field = view.querySelector('#find-devices input');
  if (field !== null) field.value = q;
}

let shownEndpoints;

async function showEndpoints(query) {
  const html = await piece(`view/endpoints?${query}`);
  if (html === undefined) return;
  if (html !== shownEndpoints || view.querySelector('.endpoints') === null) fill(html);
  shownEndpoints = html;
}

setInterval(() => {
  const { name, query } = place();
  const isUsed = document.activeElement !== view && view.contains(document.activeElement);
  if (state.isSignedIn && name === 'endpoints' && !isUsed) showEndpoints(query).catch(() => {});
}, ENDPOINTS_MS);

// --- What can be done

/** A button, or a form whose fields are the body. */
async function act(source) {
  const { do: method, path, body, ask } = source.dataset;
  if (ask && !confirm(ask)) return;
  const button = source.elements?.[source.elements.length - 1] ?? source;
  button.disabled = true;
  try {
    const fields = source.elements && Object.fromEntries(new FormData(source));
    const options = { method, body: body ? JSON.parse(body) : fields };
    const response = await call(`api/v1/${path}`, options);
    const answer = response.ok ? await response.json() : undefined;
    const said = answer ? inWords(answer) : await faultOf(response);
    await show();
    tell(said);
    if (answer?.secret) showOnce(answer.secret);
  } finally {
    button.disabled = false;
  }
}

function showOnce(secret) {
  const button = document.createElement('button');
  button.dataset.copy = secret;
  button.textContent = 'Copy';
  tell(`The new secret, which is not shown again: ${secret} `);
  $('told').append(button);
}

/** Such as `delivered by fcm: delivered after 41 ms`, or `failed, http 503 after 12 ms`. */
function inWords({ outcome, status, attempt, reason, provider, latency_ms, attempts = [] }) {
  if (outcome) return `${outcome}, ${reason ?? status} after ${latency_ms} ms`.replaceAll('_', ' ');
  const tries = attempts.map((one) => `${one.reason ?? one.outcome} after ${one.latency_ms} ms`);
  const first = [status, attempt, reason].filter(Boolean).join(', ').replaceAll('_', ' ');
  return [first, provider && ` by ${provider}`, tries.length > 0 && `: ${tries.join(', ')}`]
    .filter(Boolean)
    .join('');
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    tell('Copied.');
  } catch {
    tell(text);
  }
}

function move(step) {
  const rows = [...document.querySelectorAll('main .row')];
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.max(0, at + step)]?.focus();
}

// --- Who is here

/** Nothing more is asked for. */
function leave() {
  state.isSignedIn = false;
  unfollow();
  view.replaceChildren();
}

function showSignIn() {
  leave();
  document.body.className = 'out';
  $('who').textContent = '';
  $('sign-out').hidden = true;
  $('sign-in').hidden = false;
  $('key').focus();
}

async function enter(response) {
  const { name, scopes } = await response.json();
  if (name === undefined) {
    showSignIn();
    return;
  }
  $('who').textContent = name;
  $('who').title = scopes.join(', ');
  document.body.className = '';
  $('sign-out').hidden = false;
  $('sign-in').hidden = true;
  state.isSignedIn = true;
  await show();
  await follow(() => show({ isAgain: true }));
}

document.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { id, dataset } = event.target;
  if (dataset.do !== undefined) await act(event.target);
  if (id === 'search') await search($('q').value.trim());
  if (id === 'find-devices') {
    state.turn += 1;
    await showDevices(new URLSearchParams(), event.target.elements.q.value.trim());
  }
  if (id !== 'sign-in') return;
  const response = await call('session', { method: 'POST', body: { key: $('key').value } });
  $('sign-in-fault').textContent = response.ok ? '' : await faultOf(response);
  if (!response.ok) return;
  $('key').value = '';
  await enter(response);
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button');
  if (button === null) return;
  if (button.dataset.do !== undefined) await act(button);
  else if (button.dataset.copy !== undefined) await copy(button);
  else if (button.id === 'fresh') await refreshLog({ isForced: true });
  else if (button.id === 'sign-out') {
    leave();
    await call('session', { method: 'DELETE' });
    showSignIn();
  }
});

async function filter(form) {
  const chosen = [...new FormData(form)].filter(([, value]) => value !== '');
  setPlace('now', new URLSearchParams(chosen));
  state.turn += 1;
  await refreshLog({ isForced: true });
}

document.addEventListener('change', async (event) => {
  if (event.target.form?.id === 'filters') await filter(event.target.form);
});
document.addEventListener('reset', (event) => {
  // The fields are empty only after this event.
  setTimeout(() => filter(event.target));
});

document.addEventListener('keydown', (event) => {
  const isTyping = event.target.closest('input, select, textarea') !== null;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === '/' && !isTyping) {
    event.preventDefault();
    $('q').focus();
    $('q').select();
  } else if (step !== undefined && (!isTyping || event.target === $('q'))) {
    event.preventDefault();
    move(step);
  }
});

addEventListener('hashchange', async () => {
  tell('');
  await show();
});

state.onSignedOut = showSignIn;

await enter(await call('session'));

// What goes on: cards and drawings, the list with its filters, and how it hears of news: by the stream of events, or by a
// poll where a proxy holds the stream up.

import { $, piece, state } from './calls.js';

const POLL_MS = 5000;
/** How often the cards and drawings are asked for, and an answer that may still grow, whatever happens. */
const CARDS_MS = 10_000;
/** Events that come within it are one look at the list. */
const GATHER_MS = 700;
/** The stream reports an event a moment before the log has it. */
const LATE_MS = 2500;
/** The stream says something at once, and then every 15 s; a proxy that holds it up does not let it. */
const FIRST_BYTE_MS = 4000;
const SILENCE_MS = 40_000;
const RECONNECT_MS = 15_000;

const view = $('view');

export function place() {
  const [name = '', query = ''] = location.hash.slice(1).split('?', 2);
  return { name: name || 'now', query: new URLSearchParams(query) };
}

export function setPlace(name, query) {
  const text = query.toString();
  history.replaceState(null, '', `#${name}${text === '' ? '' : '?'}${text}`);
}

let shownCards;

export async function showNow(query) {
  shownCards = undefined;
  const filters = await piece('view/filters');
  if (filters === undefined) return;
  view.innerHTML = `<div id="now"></div><div class="bar"><h1>Deliveries and refusals</h1>
<button id="fresh" type="button" hidden></button></div>${filters}<ol id="log" class="log"></ol>`;
  for (const select of $('filters').querySelectorAll('select')) {
    const value = query.get(select.name) ?? '';
    if (![...select.options].some((option) => option.value === value))
      select.add(new Option(value));
    select.value = value;
  }
  await Promise.all([refreshCards(), refreshLog({ isForced: true })]);
}

async function refreshCards() {
  if ($('now') === null || view.querySelector('.charts:hover') !== null) return;
  const html = await piece('view/now');
  const now = $('now');
  if (html === undefined || now === null || html === shownCards) return;
  shownCards = html;
  now.innerHTML = html;
}

export async function refreshLog({ isForced = false } = {}) {
  const { name, query } = place();
  // Another view may be on its way to where the list still is.
  if (name !== 'now' || $('log') === null) return;
  const html = await piece(`view/log?${query}`);
  if (html !== undefined && $('log') !== null) mergeLog(html, isForced);
}

/** Rows change in their places. While somebody reads, none is added: a button says how many wait. */
function mergeLog(html, isForced) {
  const log = $('log');
  const fresh = new DOMParser().parseFromString(html, 'text/html').getElementById('log');
  const known = new Map([...log.children].map((row) => [row.id, row]));
  let added = 0;
  const rows = [...fresh.children].map((row) => {
    const old = known.get(row.id);
    if (old === undefined) added += 1;
    else if (old.innerHTML !== row.innerHTML) {
      // The link itself stays, with its focus.
      old.firstElementChild?.replaceChildren(...row.firstElementChild.childNodes);
    }
    return old ?? row;
  });
  const button = $('fresh');
  const isHeld = !isForced && isRead(log);
  button.hidden = !isHeld || added === 0;
  button.textContent = `${added} new: show`;
  if (!isHeld) log.replaceChildren(...rows);
}

function isRead(log) {
  const isScrolled = log.getBoundingClientRect().top < 0;
  return isScrolled || log.matches(':hover') || log.contains(document.activeElement);
}

// --- What happens: the stream, or a poll

/** Of who is signed in now. */
let following = new AbortController();
let lastEvent = '';
/** Shows again what is shown. */
let showAgain;
/** Deliveries of which something was heard. */
const newsOf = new Set();
let isGathering = false;
let lateLook;

function setMode(mode) {
  const words = { live: 'live', poll: `polling every ${POLL_MS / 1000} s`, off: '' };
  $('live').textContent = words[mode];
  $('live').className = mode;
}

function refreshSoon(id) {
  if (id !== undefined) newsOf.add(id);
  if (!isGathering) {
    isGathering = true;
    setTimeout(() => {
      isGathering = false;
      look().catch(offline);
    }, GATHER_MS);
  }
  clearTimeout(lateLook);
  lateLook = setTimeout(() => {
    look().catch(offline);
    newsOf.clear();
  }, LATE_MS);
}

/** An answer that is shown grows while its delivery is under way. */
async function look() {
  await refreshLog();
  const text = view.querySelector('article')?.innerHTML ?? '';
  if ([...newsOf].some((id) => text.includes(id))) await showAgain();
}

function offline() {
  setMode('poll');
}

/** Reads the stream until it ends, or is silent for too long, for example because a proxy holds it up. */
async function readStream(stopped) {
  const end = new AbortController();
  let silence = setTimeout(() => end.abort(), FIRST_BYTE_MS);
  try {
    const headers = { 'nds-page': '1', ...(lastEvent && { 'last-event-id': lastEvent }) };
    const path = 'api/v1/stream?events=delivery,refusal';
    const signal = AbortSignal.any([end.signal, stopped]);
    const response = await fetch(path, { headers, signal, cache: 'no-store' });
    if (response.status === 401) state.onSignedOut();
    if (!response.ok) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => end.abort(), SILENCE_MS);
      // The stream does not repeat what happened before its first byte.
      if ($('live').className !== 'live') refreshSoon();
      setMode('live');
      const events = (rest + value).split('\n\n');
      rest = events.pop();
      events.forEach(readEvent);
    }
  } finally {
    clearTimeout(silence);
  }
}

function readEvent(text) {
  const fields = new Map(text.split('\n').map((line) => line.split(/: (.*)/s, 2)));
  if (!fields.has('id')) return;
  lastEvent = fields.get('id');
  refreshSoon(JSON.parse(fields.get('data') ?? '{}').delivery_id);
}

export async function follow(show) {
  showAgain = show;
  following = new AbortController();
  const { signal } = following;
  while (!signal.aborted) {
    const startedAt = performance.now();
    await readStream(signal).catch(() => {});
    if (signal.aborted) return;
    setMode('poll');
    // A stream that was cut after a while is taken up again at once; one that never began is not.
    const lasted = performance.now() - startedAt;
    await new Promise((go) => setTimeout(go, lasted > RECONNECT_MS ? 1000 : RECONNECT_MS));
  }
}

/** Nobody is signed in any more. */
export function unfollow() {
  following.abort();
  clearTimeout(lateLook);
  lastEvent = '';
  setMode('off');
}

setInterval(() => {
  // The stream tells what its own machine does; what others do is in the list, too.
  const isPolled = $('live').className === 'poll' || $('machines') !== null;
  if (state.isSignedIn && isPolled) refreshLog().catch(offline);
}, POLL_MS);
setInterval(() => {
  if (!state.isSignedIn) return;
  refreshCards().catch(offline);
  // Nothing tells when a phone says how far it came, or when its time is over.
  if (view.querySelector('[data-grows="yes"]') !== null) showAgain().catch(offline);
}, CARDS_MS);

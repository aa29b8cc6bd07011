// The answer to a search, as a view: the timeline that `nds find` prints, what can be done about it, and the same as
// text for a support ticket.

import { html } from 'hono/html';
import type { FindResult, JudgedDelivery } from '../../../core/finding/find.ts';
import { MAX_IN_FULL, shortUser, textOf } from '../../../core/finding/find-text.ts';
import { shortId } from '../../../core/finding/lines.ts';
import type { TimelineEntry } from '../../../core/finding/timeline.ts';
import { dayOf } from '../../../core/finding/words.ts';
import type { LoggedDevice } from '../../../core/ports/log.ts';
import type { QuarantineEntry } from '../../../core/ports/store.ts';
import { tokenFault } from '../../../core/target.ts';
import {
  badge,
  button,
  copyButton,
  findLink,
  type Html,
  NOTHING,
  type Scopes,
  timeOf,
} from './elements.ts';
import { type LogRow, renderRows } from './log-view.ts';

export interface AnswerParts {
  readonly answer: FindResult;
  /** The search text; it is returned only to the person who typed it. */
  readonly question: string;
  readonly scopes: Scopes;
  readonly nowMs: number;
}

/** For this long after a call a phone may still report how far it got. */
const GROWS_MS = 120_000;

export function renderAnswer({ answer, question, scopes, nowMs }: AnswerParts): Html {
  const { asked, verdict, deliveries, timeline, evidence } = answer;
  const { devices, quarantined } = evidence;
  const grows = deliveries.some(
    ({ delivery }) => delivery.status === 'queued' || nowMs - delivery.receivedAtMs < GROWS_MS,
  );
  return html`<article data-asked="${asked}" data-grows="${grows ? 'yes' : 'no'}">
<h1>${asked}</h1>
<p class="verdict">${verdict.sentence}</p>
${
  deliveries.length > MAX_IN_FULL
    ? renderList(answer)
    : html`${renderTimeline(timeline, deliveries)}
${deliveries.length === 0 ? '' : html`<h2>Deliveries</h2><ul class="cards">${deliveries.map((one, index) => html`<li class="card">${renderDelivery(one, { mark: markOf(deliveries.length - 1 - index, deliveries), said: verdict.sentence, scopes })}</li>`)}</ul>`}`
}
${devices.length === 0 ? '' : html`<h2>Devices</h2><ul class="cards">${devices.map((device) => html`<li class="card">${renderDevice(device, scopes)}</li>`)}</ul>`}
${quarantined.length === 0 ? '' : html`<h2>Not sent to</h2><ul class="cards">${quarantined.map((entry) => html`<li class="card">${renderQuarantine(entry, scopes)}</li>`)}</ul>`}
<p>${copyButton('Copy for support', textOf(answer))} ${scopes.has('operate') ? tokenButton(answer, question) : ''}</p>
</article>`;
}

/** Each links to all that is known of it. */
function renderList({ deliveries, evidence }: FindResult): Html {
  const rows: readonly LogRow[] = [
    ...deliveries.map(({ delivery }) => {
      return { kind: 'delivery', atMs: delivery.receivedAtMs, delivery } as const;
    }),
    ...evidence.refusals.map((refusal) => {
      return { kind: 'refusal', atMs: refusal.lastAtMs, refusal } as const;
    }),
  ];
  const inOrder = rows.toSorted((one, other) => one.atMs - other.atMs);
  const days = Map.groupBy(inOrder, ({ atMs }) => dayOf(atMs));
  return html`${[...days].map(([day, some]) => html`<p class="day">${day} UTC</p><ol class="log">${renderRows(some)}</ol>`)}`;
}

/** The number of the delivery that a line belongs to; 1 is the oldest. */
function markOf(index: number, { length }: readonly unknown[]): string {
  return index < 0 || length < 2 ? '' : `[${index + 1}] `;
}

function renderTimeline(
  timeline: readonly TimelineEntry[],
  deliveries: readonly JudgedDelivery[],
): Html {
  const ids = deliveries.map(({ delivery }) => delivery.id).toReversed();
  let day = '';
  const lines = timeline.map((entry) => {
    const before = day;
    day = dayOf(entry.atMs);
    const heading = day === before ? '' : html`<li class="day">${day} UTC</li>`;
    return html`${heading}<li>${renderEntry(entry, ids)}</li>`;
  });
  return lines.length === 0 ? NOTHING : html`<ol class="timeline">${lines}</ol>`;
}

function renderEntry(
  { atMs, what, text, deliveryId }: TimelineEntry,
  ids: readonly string[],
): Html {
  const isFailure = what === 'phone' && text.startsWith('failed');
  const mark = markOf(ids.indexOf(deliveryId ?? ''), ids);
  const line = html`${timeOf(atMs, 'millisecond')}${badge(what, isFailure ? 'bad' : undefined)}<span>${mark}${text}</span>`;
  return deliveryId === undefined
    ? html`<span class="row" tabindex="0">${line}</span>`
    : html`<a class="row" href="${findLink(deliveryId)}" target="_blank" rel="noopener">${line}</a>`;
}

function renderDelivery(
  { delivery, verdict }: JudgedDelivery,
  { mark, said, scopes }: { readonly mark: string; readonly said: string; readonly scopes: Scopes },
): Html {
  const { id, status, type, app, provider, receivedAtMs, deviceId, requestId } = delivery;
  const isQueued = status === 'queued';
  const retry = { label: 'Try again', method: 'POST', path: `deliveries/${id}/retry` } as const;
  return html`<p>${mark}${badge(status)} <a href="${findLink(id)}">${shortId(id)}</a> ${type} · ${app}/${provider} · ${timeOf(receivedAtMs, 'day')}</p>
${verdict.sentence === said ? '' : html`<p>${verdict.sentence}</p>`}
<p class="fine">delivery ${id}${requestId === undefined || requestId === id ? '' : html` · request ${requestId}`}${deviceId === undefined ? '' : html` · <a href="#devices?${new URLSearchParams({ q: deviceId })}">device ${shortId(deviceId)}</a>`}</p>
${isQueued && scopes.has('operate') ? html`<p>${button(retry)}</p>` : ''}`;
}

export function renderDevice(device: LoggedDevice, scopes: Scopes): Html {
  const { id, app, platform, user, registrar, createdAtMs, seenAtMs, deadSinceMs } = device;
  return html`<p><a href="#devices?${new URLSearchParams({ q: id })}">device ${shortId(id)}</a> ${app}, ${platform}${user === undefined ? '' : html`, user ${shortUser(user)}`}</p>
<p class="fine">registered ${timeOf(createdAtMs, 'day')} by ${registrar} · seen ${timeOf(seenAtMs, 'day')}${deadSinceMs === undefined ? '' : html` · ${badge('dead')} since ${timeOf(deadSinceMs, 'day')}`}</p>
${scopes.has('operate') ? html`<p>${testPushButton(id)}</p>` : ''}`;
}

const TEST_PUSH = {
  label: 'Send test push',
  method: 'POST',
  path: 'test-pushes',
  question: 'The phone gets a push of the type payment_received. Send it?',
} as const;

export function testPushButton(deviceId: string): Html {
  return button({
    ...TEST_PUSH,
    body: { to: { device_id: deviceId } },
  });
}

/** For a phone that is not a registered device: only the person who searches knows its token. */
function tokenButton({ found, deliveries, evidence }: FindResult, question: string): Html {
  const [last] = deliveries;
  if (last === undefined || !found.includes('token') || evidence.devices.length > 0) return NOTHING;
  const { app, platform, provider } = last.delivery;
  const token = new URLSearchParams(question.split('?')[1] ?? '').get('token') ?? question;
  const isFingerprint = /^[0-9a-f]{8,32}$/i.test(token);
  if (isFingerprint || tokenFault(platform, token) !== undefined) return NOTHING;
  const environment = provider === 'apns_sandbox' ? 'sandbox' : undefined;
  return button({ ...TEST_PUSH, body: { to: { token, platform, environment }, app } });
}

function renderQuarantine(entry: QuarantineEntry, scopes: Scopes): Html {
  const { tokenHash, app, provider, kind, reason, sinceMs, untilMs } = entry;
  const release = {
    label: 'Release',
    method: 'DELETE',
    path: `quarantine/${tokenHash}`,
    question: 'The next call for this token reaches the provider. Release it?',
  } as const;
  return html`<p>${badge(kind === 'throttled' ? 'held' : kind)} token ${tokenHash.slice(0, 8)}… · ${app}/${provider} · ${reason}</p>
<p class="fine">since ${timeOf(sinceMs, 'day')}, until ${timeOf(untilMs, 'day')}</p>
${scopes.has('operate') ? html`<p>${button(release)}</p>` : ''}`;
}

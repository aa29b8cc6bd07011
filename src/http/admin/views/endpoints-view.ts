// Where events are sent: the state, the last calls, and what can be done about it.

import { html } from 'hono/html';
import type { z } from 'zod';
import { GIVE_UP_MS } from '../../../core/events/schedule.ts';
import type { EndpointAttempt } from '../../../core/ports/events.ts';
import type { endpointAnswer } from '../../operator/endpoints.ts';
import { badge, button, type Html, NOTHING, type Scopes, timeOf } from './elements.ts';

export interface ShownEndpoint {
  /** As the API shows it, without its secret. */
  readonly endpoint: z.output<typeof endpointAnswer>;
  /** What an operator should know. */
  readonly detail?: string | undefined;
  /** Newest first. */
  readonly attempts: readonly EndpointAttempt[];
}

export interface EndpointsParts {
  readonly endpoints: readonly ShownEndpoint[];
  /** One that was opened, or all. */
  readonly isOne: boolean;
  readonly scopes: Scopes;
}

/** Not in the table of events, so it cannot be sent again. */
const UNRECORDED = /^(?:test\.ping|events\.dropped|mail\..*)$/;

export function renderEndpoints({ endpoints, isOne, scopes }: EndpointsParts): Html {
  return html`<h1>Endpoints</h1>
${isOne ? html`<p><a href="#endpoints">All endpoints</a></p>` : ''}
${endpoints.length === 0 ? html`<p>No endpoint: <code>nds endpoints add URL</code> registers one.</p>` : ''}
<ul class="cards endpoints">${endpoints.map((shown) => html`<li class="card">${renderEndpoint(shown, scopes)}</li>`)}</ul>`;
}

function renderEndpoint({ endpoint, detail, attempts }: ShownEndpoint, scopes: Scopes): Html {
  const { id, url, status, disabled_reason: reason, failing_since: failing } = endpoint;
  const mayWrite = scopes.has('endpoints');
  const isFailing = status === 'enabled' && failing !== undefined;
  const tone = reason === 'by_operator' ? 'dull' : undefined;
  return html`<h2>${badge(isFailing ? 'failing' : status, tone)} <a href="#endpoints?${new URLSearchParams({ id })}">${id}</a></h2>
${detail === undefined ? '' : html`<p class="trouble">It ${detail}.</p>`}
<dl><dt>address</dt><dd>${mayWrite ? url : withoutPath(url)}</dd><dt>events</dt><dd>${endpoint.enabled_events.join(', ')}</dd>${(['app', 'description', 'digest'] as const).map((name) => renderField(name, endpoint[name]))}${reason === 'by_operator' ? html`<dt>disabled</dt><dd>by hand</dd>` : ''}${isFailing ? html`<dt>failing since</dt><dd>${timeOf(Date.parse(failing), 'day')}</dd><dt>given up at</dt><dd>${timeOf(Date.parse(failing) + GIVE_UP_MS, 'day')}</dd>` : ''}<dt>created</dt><dd>${timeOf(1_000 * endpoint.created, 'day')}${endpoint.configured === true ? ' by NDS_ENDPOINTS' : ''}</dd></dl>
${mayWrite ? renderActions(endpoint) : ''}
${attempts.length === 0 ? html`<p class="fine">No call yet.</p>` : html`<ul class="attempts">${attempts.map((one) => html`<li>${renderAttempt(one, mayWrite ? id : undefined)}</li>`)}</ul>`}`;
}

/** The rest of a URL, and the name before an `@`, are for those who may change them: both can be secrets. */
function withoutPath(address: string): string {
  if (!URL.canParse(address)) return `…${address.slice(address.lastIndexOf('@'))}`;
  return `${new URL(address).origin}/…`;
}

function renderField(name: string, value: string | undefined): Html {
  return value === undefined ? NOTHING : html`<dt>${name}</dt><dd>${value}</dd>`;
}

function renderAttempt(attempt: EndpointAttempt, endpointId: string | undefined): Html {
  const { eventId, type, atMs, latencyMs, outcome, status, reason } = attempt;
  const isAgain = endpointId !== undefined && !UNRECORDED.test(type);
  const again = {
    label: 'Send again',
    method: 'POST',
    path: `endpoints/${endpointId}/redeliver`,
    body: { event: eventId },
  } as const;
  return html`<span class="row" tabindex="0">${timeOf(atMs, 'day')}${badge(outcome)}<span>${type}</span><span class="why">${[status, reason].filter((word) => word !== undefined && word !== `http_${status}`).join(' ')}</span><span class="after">${latencyMs} ms</span></span>${isAgain ? button(again) : NOTHING}`;
}

/**
 * Fields from the configuration are changed there, except whether the endpoint is enabled. An e-mail endpoint has no
 * secret, and a digest is never sent twice.
 */
function renderActions({ id, status, configured, digest }: ShownEndpoint['endpoint']): Html {
  const path = `endpoints/${id}`;
  const isEnabled = status === 'enabled';
  const test = { label: 'Test', method: 'POST', path: `${path}/test` } as const;
  const turn = {
    label: isEnabled ? 'Disable' : 'Enable',
    method: 'PATCH',
    path,
    body: { status: isEnabled ? 'disabled' : 'enabled' },
    question: isEnabled
      ? 'Events are kept for 24 hours, and then are lost to it. Disable it?'
      : undefined,
  } as const;
  const rotate = {
    label: 'New secret',
    method: 'POST',
    path: `${path}/secret/rotate`,
    question:
      'The new secret is shown once. For 24 hours events are signed by the earlier one, too. Make it?',
  } as const;
  return html`<p>${button(test)} ${button(turn)} ${configured === true || digest !== undefined ? '' : button(rotate)}</p>
${digest === undefined ? renderGoBack(path) : ''}`;
}

function renderGoBack(path: string): Html {
  return html`<form class="since" data-do="POST" data-path="${path}/redeliver" data-ask="Everything since then that is kept is sent again. Go back?"><label>Send again since <input name="since" value="1h" size="8" maxlength="32" required pattern="[0-9]+[smhd]|[0-9]{4}-.+" autocomplete="off" title="15m, 2h, or 2026-11-26T03:00:00Z"></label> <button>Go back</button></form>`;
}

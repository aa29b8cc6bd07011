// The newest deliveries and refused calls as rows, each a link to all that is known of it. A row always keeps its id,
// so that the script can update it in place.

import { html } from 'hono/html';
import { durationOf } from '../../../core/finding/words.ts';
import { REPEATED, type Refusal } from '../../../core/ports/records.ts';
import type { LoggedDelivery } from '../../../core/ports/store.ts';
import { badge, findLink, type Html, timeOf } from './elements.ts';

export type LogRow =
  | { readonly kind: 'delivery'; readonly atMs: number; readonly delivery: LoggedDelivery }
  | { readonly kind: 'refusal'; readonly atMs: number; readonly refusal: Refusal };

export function renderLog(
  rows: readonly LogRow[],
  { isFiltered }: { readonly isFiltered: boolean },
): Html {
  const nothing = isFiltered ? 'Nothing matches these filters.' : 'Nothing yet.';
  const shown = rows.length === 0 ? html`<li id="none">${nothing}</li>` : renderRows(rows);
  return html`<ol id="log" class="log">${shown}</ol>`;
}

export function renderRows(rows: readonly LogRow[]): Html {
  return html`${rows.map((row) =>
    row.kind === 'delivery' ? renderDelivery(row.delivery) : renderRefusal(row.refusal),
  )}`;
}

function renderDelivery(delivery: LoggedDelivery): Html {
  const { id, status, reason, type, app, provider, source, receivedAtMs, settledAtMs } = delivery;
  const after = settledAtMs === undefined ? '' : durationOf(settledAtMs - receivedAtMs);
  return html`<li id="d-${id}"><a class="row" href="${findLink(id)}">${timeOf(receivedAtMs)}${badge(status)}<span class="what">${type}</span><span class="where">${app}/${provider}</span><span class="why">${reason ?? ''}</span><span class="from">${source ?? ''}</span><span class="after">${after}</span></a></li>`;
}

function renderRefusal(refusal: Refusal): Html {
  const { status, code, door, source, app, count, atMs, lastAtMs } = refusal;
  const times = count === 1 ? '' : `${count} times`;
  const ignored = code === REPEATED ? REPEATED : 'ignored';
  const known = refusal.deliveryId ?? refusal.requestId ?? refusal.deviceId;
  const line = html`${timeOf(lastAtMs)}${badge(status === 200 ? ignored : `refused ${status}`)}<span class="what">${code}</span><span class="where">${app ?? ''}</span><span class="why">${door}</span><span class="from">${source ?? ''}</span><span class="after">${times}</span>`;
  const whom = refusal.tokenHash ?? refusal.handleHash ?? refusal.addressHash ?? '';
  const id = `r-${atMs}-${code}-${(refusal.requestId ?? whom).slice(-12)}`;
  return html`<li id="${id}">${
    known === undefined
      ? html`<span class="row" tabindex="0">${line}</span>`
      : html`<a class="row" href="${findLink(known)}">${line}</a>`
  }</li>`;
}

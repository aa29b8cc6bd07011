// Deliveries and refusals as one line each, of at most 80 columns.

import type { Refusal } from '../ports/records.ts';
import type { LoggedDelivery } from '../ports/store.ts';
import { durationOf, timeOfDay } from './words.ts';
import { COLUMNS } from './wrap.ts';

/** `01a2191a…c302`, which `nds find` takes. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

export function lineOfDelivery(delivery: LoggedDelivery): string {
  const { id, status, reason, app, provider, type, receivedAtMs, settledAtMs } = delivery;
  const after = settledAtMs === undefined ? '' : durationOf(settledAtMs - receivedAtMs);
  // Before the type, which may be cut off.
  const why = reason === undefined ? '' : `${reason}  `;
  return cut(
    `${timeOfDay(receivedAtMs)}  ${status.padEnd(13)} ${after.padStart(7)}  ${shortId(id)}  ${app}/${provider}  ${why}${type}`,
  );
}

export function lineOfRefusal(refusal: Refusal): string {
  const { atMs, status, code, door, source, count } = refusal;
  const from = source === undefined ? door : `${source} ${door}`;
  const times = count === 1 ? '' : ` (${count} times)`;
  return cut(
    `${timeOfDay(atMs)}  ${`refused ${status}`.padEnd(13)} ${' '.repeat(9)}${code}  ${from}${times}`,
  );
}

function cut(line: string): string {
  return line.length <= COLUMNS ? line : `${line.slice(0, COLUMNS - 1)}…`;
}

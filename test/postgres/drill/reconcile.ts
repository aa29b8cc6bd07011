// Compares three records: the answers to the callers, the log in PostgreSQL, and the pushes that the stand-ins of each
// machine took. Every sentence that it returns is a broken promise.
//
// - lost: a 200 whose push never went out, unless it was a race whose time was over; a row that never ended.
// - false: `delivered` without a push; a row that contradicts the phone; a refusal without need.
//
// `doubles.ts` judges phones that got a push twice.

import type { ReceivedPush, SandboxRequest } from '../../../sandbox/sandbox.ts';
import type { DeliveryRow } from '../../chaos/database.ts';
import { messageOf, messagesOf, uncertainEnds } from '../../chaos/reconcile.ts';
import type { Call, Try } from './callers.ts';
import type { FaultRecord } from './faults.ts';

export type Sent<What> = What & { readonly machine: number };

export interface Evidence {
  readonly calls: readonly Call[];
  readonly rows: readonly DeliveryRow[];
  readonly pushes: readonly Sent<ReceivedPush>[];
  readonly requests: readonly Sent<SandboxRequest>[];
  readonly faults: readonly FaultRecord[];
  /** Deliveries that went out without their keys, as the machines logged. */
  readonly unclaimed: ReadonlySet<string>;
}

/** All that is known about one call, each list ordered by time. */
export interface Found {
  readonly call: Call;
  readonly rows: readonly DeliveryRow[];
  readonly pushes: readonly Sent<ReceivedPush>[];
  readonly requests: readonly Sent<SandboxRequest>[];
}

/** How long after a fault a machine may still be affected: until it asks its database again, and then an answer. */
const AFTER_FAULT_MS = 7_000;

export function findAll({ calls, rows, pushes, requests }: Evidence): readonly Found[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const byMessage = new Map(rows.flatMap((row) => messagesOf(row).map((id) => [id, row])));
  const pushesByToken = Map.groupBy(pushes, ({ token }) => token);
  const requestsByToken = Map.groupBy(requests, ({ token }) => token);
  return calls.map((call) => {
    const own = byTime(pushesByToken.get(call.token) ?? []);
    const ids = [
      ...call.tries.map(({ answer }) => answer?.body.id),
      ...own.map(({ apns }) => apns?.id),
    ];
    const found = [
      ...ids.map((id) => byId.get(id ?? '')),
      ...own.map((push) => byMessage.get(messageOf(push))),
    ];
    return {
      call,
      rows: [...new Set(found.filter((row) => row !== undefined))],
      pushes: own,
      requests: byTime(requestsByToken.get(call.token) ?? []),
    };
  });
}

function byTime<One extends { readonly receivedAtMs: number }>(all: readonly One[]): One[] {
  return all.toSorted((one, other) => one.receivedAtMs - other.receivedAtMs);
}

export function lostIn({ call, rows, pushes }: Found): readonly string[] {
  const faults: string[] = [];
  if (rows.some(({ status }) => status === 'queued')) faults.push('its row never ended');
  for (const { answer } of call.tries) {
    if (answer?.status !== 200 || answer.body.status === 'delivered') continue;
    const row = rows.find(({ id }) => id === answer.body.id);
    if (pushes.length === 0 && !hasExpired(call, row)) {
      faults.push(`answered ${answer.body.status}, and no phone got it`);
    }
  }
  for (const { answer } of call.tries) {
    if (answer?.status !== 200 || answer.body.logged === false) continue;
    if (!rows.some(({ id }) => id === answer.body.id)) {
      faults.push(`answered ${answer.body.status} as ${answer.body.id}, and there is no row`);
    }
  }
  return faults.map((fault) => `${call.token}: ${fault}`);
}

/** The promise of a race ends with its useful life. */
export function hasExpired({ type }: Call, row: DeliveryRow | undefined): boolean {
  return type === 'payment_received' && row?.status === 'expired';
}

export function falseIn(found: Found, faults: readonly FaultRecord[]): readonly string[] {
  const { call, rows, pushes } = found;
  const said: string[] = [];
  for (const row of rows) {
    if (row.status === 'delivered' && !isTaken(row, pushes)) {
      said.push('its row says delivered, and no phone got it');
    }
    const isKnown = row.status === 'delivered' || row.status === 'queued';
    if (!isKnown && pushes.length > 0 && uncertainEnds(row) === 0) {
      said.push(`its phone got it, and its row says ${row.status}`);
    }
  }
  if (pushes.some(({ expired }) => expired)) said.push('its push came after its time');
  for (const one of call.tries) said.push(...falseAnswer(one, found, faults));
  return said.map((fault) => `${call.token}: ${fault}`);
}

function isTaken(row: DeliveryRow, pushes: readonly Sent<ReceivedPush>[]): boolean {
  const ids = row.provider === 'apns' ? [row.id] : messagesOf(row);
  return pushes.some((push) => ids.includes(messageOf(push)));
}

function falseAnswer(
  one: Try,
  { pushes }: Found,
  faults: readonly FaultRecord[],
): readonly string[] {
  const { answer } = one;
  if (answer === undefined) return [];
  const { status, code } = answer.body;
  if (answer.status === 200) {
    if (status === 'delivered' && pushes.length === 0) return ['answered delivered without a push'];
    const isKnown = status === 'delivered' || status === 'queued' || status === 'duplicate';
    return isKnown ? [] : [`answered ${status}`];
  }
  const isNeeded = code === 'store_unavailable' && lacksDatabase(one, faults);
  return isNeeded ? [] : [`answered ${answer.status} ${code} without need`];
}

/** Whether the machine could not reach PostgreSQL, or stood still, while it had this call. */
function lacksDatabase({ machine, atMs, endedAtMs = atMs }: Try, faults: readonly FaultRecord[]) {
  return faults.some(
    (fault) =>
      (fault.machine === undefined || fault.machine === machine) &&
      atMs <= fault.toMs + AFTER_FAULT_MS &&
      endedAtMs >= fault.fromMs,
  );
}

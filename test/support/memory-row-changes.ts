// Changes of a row of the store in memory: accepted, tried, planned again, given back, dated back, ended.

import type { Attempt, Next } from '../../src/core/delivery.ts';
import type { AcceptedDelivery } from '../../src/core/ports/store.ts';
import type { Row } from './memory-rows.ts';

export function rowOf({ delivery, owner, leaseUntilMs, duplicateKey }: AcceptedDelivery): Row {
  return {
    delivery,
    status: 'queued',
    dueAtMs: leaseUntilMs,
    notBeforeMs: 0,
    triedAtMs: 0,
    owner,
    leaseUntilMs,
    repeats: 0,
    attempts: new Map(),
    keyHash: duplicateKey?.keyHash,
  };
}

export function record(row: Row, attempt: Attempt, nowMs: number): void {
  row.attempts.set(attempt.number, attempt);
  row.triedAtMs = nowMs;
  const { outcome } = attempt;
  const isNew = attempt.number > row.delivery.attempts;
  const isUnanswered = isNew && outcome.kind === 'retry' && outcome.certainty === 'unanswered';
  const unanswered = row.delivery.unanswered + (isUnanswered ? 1 : 0);
  row.delivery = { ...row.delivery, attempts: attempt.number, unanswered };
}

/** With `keepLeaseUntilMs` its owner sends it again at once. */
export function requeue(
  row: Row,
  next: Omit<Extract<Next, { status: 'queued' }>, 'status'>,
  keepLeaseUntilMs: number | undefined,
): void {
  row.dueAtMs = next.dueAtMs;
  row.notBeforeMs = next.notBeforeMs ?? 0;
  if (keepLeaseUntilMs === undefined) row.owner = undefined;
  row.leaseUntilMs = keepLeaseUntilMs ?? 0;
}

function release(row: Row, dueAtMs: number): void {
  row.dueAtMs = dueAtMs;
  row.owner = undefined;
  row.leaseUntilMs = 0;
}

/** Ends the lease of a process that is gone. What that process sent is perhaps recorded nowhere. */
export function giveUp(row: Row, dueAtMs: number): void {
  if (row.attempts.size === 0) row.delivery = { ...row.delivery, interrupted: true };
  release(row, dueAtMs);
}

/** A time of receipt in the future means that the clock was set back. */
export function dateBack(row: Row, nowMs: number): void {
  const { receivedAtMs, expiresAtMs, notification } = row.delivery;
  const startMs = Math.max(receivedAtMs, expiresAtMs - notification.lifetimeMs);
  const byMs = Math.max(0, startMs - nowMs);
  row.dueAtMs -= byMs;
  row.notBeforeMs -= byMs;
  row.triedAtMs -= byMs;
  row.delivery = {
    ...row.delivery,
    receivedAtMs: Math.min(receivedAtMs, nowMs),
    expiresAtMs: expiresAtMs - byMs,
  };
}

export function end(row: Row, next: Exclude<Next, { status: 'queued' }>, wallMs: number): void {
  row.status = next.status;
  row.reason = next.reason;
  row.settledAtMs = wallMs;
  row.owner = undefined;
}

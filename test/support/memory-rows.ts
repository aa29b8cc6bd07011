// The rows of the store in memory: how a claim chooses them, and how an operator reads them.

import type { Attempt, Delivery, DeliveryStatus } from '../../src/core/delivery.ts';
import { isRace, usefulUntilMs } from '../../src/core/notification.ts';
import type { Claim, HastenOptions } from '../../src/core/ports/plans.ts';
import type { Told } from '../../src/core/ports/records.ts';
import type { DeliveryQuery, LoggedAttempt, LoggedDelivery } from '../../src/core/ports/store.ts';

export interface Row {
  delivery: Delivery;
  status: DeliveryStatus;
  reason?: string | undefined;
  settledAtMs?: number | undefined;
  answeredAtMs?: number | undefined;
  told?: Told | undefined;
  repeats: number;
  repeatedAtMs?: number | undefined;
  renewedAtMs?: number | undefined;
  dueAtMs: number;
  notBeforeMs: number;
  triedAtMs: number;
  owner?: string | undefined;
  leaseUntilMs: number;
  readonly attempts: Map<number, Attempt>;
  readonly keyHash: string | undefined;
}

export function isFree(row: Row, nowMs: number): boolean {
  return row.owner === undefined || row.leaseUntilMs <= nowMs;
}

export function usefulUntil({ delivery }: Pick<Row, 'delivery'>): number {
  return usefulUntilMs(delivery.expiresAtMs, delivery.notification.lifetimeMs);
}

export function choose(rows: readonly Row[], { select, nowMs, owner }: Claim): readonly Row[] {
  const ready = rows.filter((row) => isFree(row, nowMs) && row.notBeforeMs <= nowMs);
  switch (select.kind) {
    case 'due':
      return ready.filter((row) => row.dueAtMs <= nowMs).toSorted(byUsefulLife);
    case 'probe':
      return ready.toSorted((one, other) => one.triedAtMs - other.triedAtMs);
    case 'last_moment':
      return ready
        .filter((row) => row.owner === undefined && usefulUntil(row) <= select.usefulUntilByMs)
        .toSorted(byUsefulLife);
    case 'unsent':
      return rows
        .filter((row) => row.owner === owner && row.leaseUntilMs === select.leaseUntilMs)
        .toSorted(byUsefulLife);
  }
}

function byUsefulLife(one: Row, other: Row): number {
  return usefulUntil(one) - usefulUntil(other);
}

export function least(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : Math.min(...times);
}

/** The newest rows that match. */
export function search(rows: readonly Row[], query: DeliveryQuery): readonly LoggedDelivery[] {
  return rows
    .filter(({ delivery, status }) => {
      if (query.id !== undefined && delivery.id !== query.id) return false;
      if (query.status !== undefined && status !== query.status) return false;
      if (query.app !== undefined && delivery.target.app !== query.app) return false;
      if (delivery.receivedAtMs < (query.sinceMs ?? 0)) return false;
      if (query.tokenHash !== undefined && delivery.tokenHash !== query.tokenHash) return false;
      return query.subjectHash === undefined || delivery.subjectHash === query.subjectHash;
    })
    .toReversed()
    .slice(0, query.limit)
    .map(logged);
}

/** Races are due at once, news one after the other; returns how many were moved. */
export function hasten(queued: readonly Row[], options: HastenOptions): number {
  const { nowMs, newsSpreadMs, restMs } = options;
  const rows = queued
    .filter((row) => row.dueAtMs > nowMs && isFree(row, nowMs))
    .toSorted((one, other) => one.dueAtMs - other.dueAtMs);
  const races = rows.filter((row) => isRace(row.delivery.notification.lifetimeMs));
  const news = rows.filter((row) => !races.includes(row) && row.triedAtMs <= nowMs - restMs);
  const hastenTo = (row: Row, atMs: number) => {
    if (atMs >= row.dueAtMs) return 0;
    row.dueAtMs = atMs;
    return 1;
  };
  const moved = [
    ...races.map((row) => hastenTo(row, Math.max(nowMs, row.triedAtMs + restMs))),
    ...news.map((row, place) =>
      hastenTo(row, nowMs + Math.floor((place * newsSpreadMs) / news.length)),
    ),
  ];
  return moved.reduce<number>((sum, one) => sum + one, 0);
}

function logged(row: Row): LoggedDelivery {
  const { delivery } = row;
  return {
    id: delivery.id,
    app: delivery.target.app,
    platform: delivery.target.platform,
    provider: delivery.provider,
    type: delivery.notification.type,
    status: row.status,
    ...(row.reason === undefined ? {} : { reason: row.reason }),
    receivedAtMs: delivery.receivedAtMs,
    lifetimeMs: delivery.notification.lifetimeMs,
    ...(row.settledAtMs === undefined ? {} : { settledAtMs: row.settledAtMs }),
    tokenHash: delivery.tokenHash,
    ...(delivery.subjectHash === undefined ? {} : { subjectHash: delivery.subjectHash }),
    ...(delivery.deviceId === undefined ? {} : { deviceId: delivery.deviceId }),
    ...delivery.origin,
    ...(row.told === undefined
      ? {}
      : { told: row.told.told, toldStatus: row.told.status, toldAtMs: row.told.atMs }),
    repeats: row.repeats,
    ...(row.repeatedAtMs === undefined ? {} : { repeatedAtMs: row.repeatedAtMs }),
    ...(row.renewedAtMs === undefined ? {} : { renewedAtMs: row.renewedAtMs }),
    ...(row.answeredAtMs === undefined ? {} : { answeredAtMs: row.answeredAtMs }),
    attempts: [...row.attempts.values()].map(loggedAttempt),
  };
}

function loggedAttempt({ number, startedAtMs, latencyMs, outcome }: Attempt): LoggedAttempt {
  return {
    number,
    startedAtMs,
    latencyMs,
    outcome: outcome.kind,
    ...('reason' in outcome ? { reason: outcome.reason } : {}),
    ...('messageId' in outcome && outcome.messageId !== undefined
      ? { messageId: outcome.messageId }
      : {}),
  };
}

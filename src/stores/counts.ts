// Counts of log rows as they are read, and where the next page begins.

import { STATUSES } from '../core/delivery.ts';
import type { DeliveryCount, RefusalCount } from '../core/ports/log.ts';
import type { WaitingInLane } from '../core/ports/operating.ts';
import type { RowOf, Rows } from './rows.ts';
import { nameOf, PROVIDERS } from './values.ts';

/** Longer than any period, so that the whole period is one span. */
export const ONE_SPAN_MS = Number.MAX_SAFE_INTEGER;

/** A row may have been written up to this much later than its neighbours. */
const DISORDER_MS = 60_000;

export const DELIVERY_COLUMNS = {
  span: 'integer',
  app: 'text',
  provider: 'text',
  status: 'text',
  reason: 'text?',
  /** Of those that were not delivered. */
  token_hash: 'text?',
  /** Of those that a provider took, as far as an attempt has the time. */
  after_ms: 'integer?',
  count: 'integer',
} as const;

export const REFUSAL_COLUMNS = {
  span: 'integer',
  app: 'text?',
  code: 'text',
  token_hash: 'text?',
  count: 'integer',
} as const;

/** Of a page. */
export const EXTENT_COLUMNS = {
  rows: 'integer',
  last_row_id: 'integer?',
  oldest_ms: 'integer?',
} as const;

/** Rows lie in the order of time: a page that is older than the period is the last. */
export function nextRowIdOf(
  extent: RowOf<Rows<typeof EXTENT_COLUMNS>> | undefined,
  { maxRows, sinceMs }: { readonly maxRows: number; readonly sinceMs: number },
): number | undefined {
  if (extent === undefined || extent.rows < maxRows) return undefined;
  return (extent.oldest_ms ?? 0) < sinceMs - DISORDER_MS
    ? undefined
    : (extent.last_row_id ?? undefined);
}

export function toDeliveryCount(
  row: RowOf<Rows<typeof DELIVERY_COLUMNS>>,
  spanMs: number,
): DeliveryCount {
  return {
    beganAtMs: row.span * spanMs,
    app: row.app,
    provider: nameOf(PROVIDERS, row.provider),
    status: nameOf(STATUSES, row.status),
    reason: row.reason ?? undefined,
    afterMs: row.after_ms ?? undefined,
    tokenHash: row.token_hash ?? undefined,
    count: row.count,
  };
}

export function toRefusalCount(
  row: RowOf<Rows<typeof REFUSAL_COLUMNS>>,
  spanMs: number,
): RefusalCount {
  return {
    beganAtMs: row.span * spanMs,
    app: row.app ?? undefined,
    code: row.code,
    tokenHash: row.token_hash ?? undefined,
    count: row.count,
  };
}

export const WAITING_COLUMNS = {
  app: 'text',
  provider: 'text',
  deliveries: 'integer',
  oldest_at_ms: 'integer',
} as const;

export function toWaiting(row: RowOf<Rows<typeof WAITING_COLUMNS>>): WaitingInLane {
  const { app, provider, deliveries, oldest_at_ms: oldestAtMs } = row;
  return { app, provider: nameOf(PROVIDERS, provider), deliveries, oldestAtMs };
}

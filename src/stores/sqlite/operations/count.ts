// Counts deliveries and refusals for statistics, a page of rows at a time. Rows lie in the order of time: a page that
// is older than the period is the last.

import type {
  CountedPage,
  CountOptions,
  DeliveryCount,
  RefusalCount,
} from '../../../core/ports/log.ts';
import { prepareRows, type Reading } from '../reading.ts';
import { COUNTED_DELIVERIES, REFUSALS, type RowOf } from '../rows.ts';
import { nameOf, PROVIDERS, STATUSES } from './values.ts';

/** A row may have been written so much later than its neighbours. */
const DISORDER_MS = 60_000;

export function prepareCount(db: Reading): (options: CountOptions) => CountedPage {
  const deliveryPage = prepareRows(db, COUNTED_DELIVERIES, pageOf('deliveries'));
  const refusalPage = prepareRows(db, REFUSALS, pageOf('refusals'));

  return function countPage({ of, sinceMs, beforeRowId, maxRows }): CountedPage {
    const values = { before: beforeRowId ?? Number.MAX_SAFE_INTEGER, maxRows };
    const isLast = (rows: readonly { readonly row_id: number }[], oldestMs: number | undefined) =>
      rows.length < maxRows || (oldestMs ?? 0) < sinceMs - DISORDER_MS;
    if (of === 'deliveries') {
      const rows = deliveryPage(values);
      const counted = rows.filter((row) => row.received_at_ms >= sinceMs).map(toDeliveryCount);
      return {
        deliveries: addUp(counted),
        refusals: [],
        nextRowId: isLast(rows, rows.at(-1)?.received_at_ms) ? undefined : rows.at(-1)?.row_id,
      };
    }
    const rows = refusalPage(values);
    const counted = rows.filter((row) => row.last_at_ms >= sinceMs).map(toRefusalCount);
    return {
      deliveries: [],
      refusals: addUp(counted),
      nextRowId: isLast(rows, rows.at(-1)?.at_ms) ? undefined : rows.at(-1)?.row_id,
    };
  };
}

function pageOf(table: string): string {
  return `WHERE ${table}.row_id < @before ORDER BY ${table}.row_id DESC LIMIT @maxRows`;
}

function toDeliveryCount(row: RowOf<typeof COUNTED_DELIVERIES>): DeliveryCount {
  const isDelivered = row.status === 'delivered';
  return {
    app: row.app,
    provider: nameOf(PROVIDERS, row.provider),
    status: nameOf(STATUSES, row.status),
    reason: row.reason ?? undefined,
    afterMs: acceptedAfterMs(row),
    tokenHash: isDelivered ? undefined : row.token_hash,
    count: 1,
  };
}

/** Nothing where no attempt has it: the phone itself told of the push. */
function acceptedAfterMs(row: RowOf<typeof COUNTED_DELIVERIES>): number | undefined {
  const { started_at_ms: startedAtMs, latency_ms: latencyMs } = row;
  if (startedAtMs === null || latencyMs === null) return undefined;
  return Math.max(0, startedAtMs + latencyMs - row.received_at_ms);
}

function toRefusalCount(row: RowOf<typeof REFUSALS>): RefusalCount {
  const { code, count } = row;
  return { app: row.app ?? undefined, code, tokenHash: row.token_hash ?? undefined, count };
}

/** Those that differ in nothing but their count become one. */
function addUp<Counted extends { readonly count: number }>(
  counted: readonly Counted[],
): readonly Counted[] {
  const sums = new Map<string, Counted>();
  for (const one of counted) {
    const { count, ...kind } = one;
    const name = JSON.stringify(kind);
    sums.set(name, { ...one, count: count + (sums.get(name)?.count ?? 0) });
  }
  return [...sums.values()];
}

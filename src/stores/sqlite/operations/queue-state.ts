// The length of the queue and how late it is, for metrics and for the page.

import type Database from 'better-sqlite3';
import type { WaitingInLane } from '../../../core/ports/operating.ts';
import type { QueueState } from '../../../core/ports/store.ts';
import { toWaiting, WAITING_COLUMNS } from '../../counts.ts';
import type { Rows } from '../../rows.ts';
import { prepareRows, type Reading } from '../reading.ts';

/** Counted from an index only; rows are in the order of receipt. */
const WAITING: Rows<typeof WAITING_COLUMNS> = {
  columns: WAITING_COLUMNS,
  sql: `SELECT lane.app AS app, lane.provider AS provider, lane.deliveries AS deliveries,
      deliveries.received_at_ms AS oldest_at_ms
    FROM (SELECT app, provider, count(*) AS deliveries, min(row_id) AS first
        FROM queue INDEXED BY queue_by_readiness GROUP BY app, provider) AS lane
      JOIN deliveries ON deliveries.row_id = lane.first`,
};

export function prepareQueueState(db: Database.Database) {
  // Answered from an index only: the content of waiting deliveries is not read.
  const find = db.prepare<[], { readonly deliveries: number; readonly first: number | null }>(
    'SELECT count(*) AS deliveries, min(ready_at_ms) AS first FROM queue INDEXED BY queue_by_readiness',
  );
  return ({ nowMs }: { readonly nowMs: number }): QueueState => {
    const { deliveries = 0, first = null } = find.get() ?? {};
    return { deliveries, oldestDueForMs: first === null ? 0 : Math.max(0, nowMs - first) };
  };
}

export function prepareWaiting(db: Reading): () => readonly WaitingInLane[] {
  const find = prepareRows(db, WAITING, '');
  return () => find({}).map(toWaiting);
}

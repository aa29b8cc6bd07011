// How long the queue is and how late it is, for metrics.

import type Database from 'better-sqlite3';
import type { QueueState } from '../../../core/ports/store.ts';

export function prepareQueueState(db: Database.Database) {
  // Answered by an index alone: the content of what waits is not read.
  const find = db.prepare<[], { readonly deliveries: number; readonly first: number | null }>(
    'SELECT count(*) AS deliveries, min(ready_at_ms) AS first FROM queue INDEXED BY queue_by_readiness',
  );
  return ({ nowMs }: { readonly nowMs: number }): QueueState => {
    const { deliveries = 0, first = null } = find.get() ?? {};
    return { deliveries, oldestDueForMs: first === null ? 0 : Math.max(0, nowMs - first) };
  };
}

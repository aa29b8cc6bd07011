// The ends of deliveries as events. While there is any endpoint, a statement that ends deliveries returns what the event
// of each needs; the events are written in its transaction.

import type { DeliveryStatus } from '../../../core/delivery.ts';
import type { RowOf, Rows } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { nameOf } from '../../values.ts';
import type { Found, Run } from '../database.ts';
import { rowsOf } from '../reading.ts';
import { recordEnds } from './recording.ts';

const END_STATUSES = [
  ...(['delivered', 'unregistered', 'rejected', 'misconfigured', 'expired'] as const),
] satisfies readonly Exclude<DeliveryStatus, 'queued'>[];

/**
 * `done_id` is the statement's own result; the other columns come from the CTE `ends` (operations/finish.ts), or are
 * NULL.
 */
const DONE_COLUMNS = {
  done_id: 'text',
  id: 'text?',
  app: 'text?',
  provider: 'text?',
  type: 'text?',
  device_id: 'text?',
  token_hash: 'text?',
  sealed: 'blob?',
  status: 'text?',
  reason: 'text?',
  settled_at: 'integer?',
} as const;
const DONE: Rows<typeof DONE_COLUMNS> = { columns: DONE_COLUMNS, sql: 'done, and what ended' };

/** Records the events in the same transaction; returns all ids in `done_id`. */
export async function recordDone(
  run: Run,
  { rows }: Found,
  sealer: Sealer,
): Promise<readonly string[]> {
  const done = rowsOf(DONE, rows);
  await recordEnds(run, done.flatMap(endOf), sealer);
  return done.map(({ done_id }) => done_id);
}

function endOf(row: RowOf<typeof DONE>) {
  const { id, app, provider, type, token_hash, status, reason, settled_at: wallMs } = row;
  if (id === null || app === null || provider === null || type === null) return [];
  if (token_hash === null || status === null || wallMs === null) return [];
  const { device_id, sealed } = row;
  const of = { id, app, provider, type, device_id, token_hash, sealed };
  return [{ row: of, status: nameOf(END_STATUSES, status), reason, wallMs }];
}

// Ends open deliveries that a transaction has found and locked.

import type { DeliveryStatus } from '../../../core/delivery.ts';
import type { OPEN_DELIVERIES, RowOf } from '../../rows.ts';
import type { Found, Run } from '../database.ts';
import { wall } from '../times.ts';
import { FINISH, UNTOLD } from './finish.ts';

/** Continues a SELECT of `OPEN_DELIVERIES`; the order keeps two transactions from waiting for each other. */
export const OPEN_IN_ORDER = 'ORDER BY deliveries.id FOR NO KEY UPDATE OF queue, deliveries';

export interface End {
  readonly status: Exclude<DeliveryStatus, 'queued'>;
  readonly reason: string;
  readonly wallMs: number;
}

/** Its result goes to `recordDone`, unless the device was deleted. */
export async function finishOpen(
  run: Run,
  rows: readonly Pick<RowOf<typeof OPEN_DELIVERIES>, 'row_id'>[],
  { status, reason, wallMs }: End,
): Promise<Found> {
  if (rows.length === 0) return { rows: [], count: 0 };
  return await run(
    `WITH ended AS (
       SELECT row_id, d.id, d.token_hash, q.key_hash, $2::text AS status, $3::text AS reason,
         $4::timestamptz AS settled_at, 0 AS attempts, false AS keep_key, ${UNTOLD}
       FROM queue q JOIN deliveries d USING (row_id) WHERE row_id = ANY($1::bigint[])),
     ${FINISH}
     SELECT ended.id AS done_id, ends.* FROM ended LEFT JOIN ends ON ends.id = ended.id`,
    [rows.map(({ row_id }) => row_id), status, reason, wall(wallMs)],
  );
}

// How many deliveries wait in each lane, and since when the oldest of them.

import type { WaitingInLane } from '../../../core/ports/operating.ts';
import { toWaiting, WAITING_COLUMNS } from '../../counts.ts';
import type { Rows } from '../../rows.ts';
import type { Run } from '../database.ts';
import { compute } from '../statements.ts';

/** Rows lie nearly in the order of receipt. */
const WAITING: Rows<typeof WAITING_COLUMNS> = {
  columns: WAITING_COLUMNS,
  sql: `SELECT lane.app, lane.provider, lane.deliveries, deliveries.received_at AS oldest_at_ms
    FROM (SELECT app, provider, count(*) AS deliveries, min(row_id) AS first
        FROM queue GROUP BY app, provider) AS lane
      JOIN deliveries ON deliveries.row_id = lane.first
    ORDER BY lane.app, lane.provider`,
};

export async function listWaiting(run: Run): Promise<readonly WaitingInLane[]> {
  return (await compute(run, WAITING)).map(toWaiting);
}

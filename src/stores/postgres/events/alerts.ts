// Alerts: events that may have to be mailed to an e-mail endpoint at once.

import { ALERTS } from '../../../core/events/catalogue.ts';
import type { PendingAlert } from '../../../core/ports/events.ts';
import { EVENTS } from '../../event-rows.ts';
import { toEvent } from '../../events.ts';
import type { Rows } from '../../rows.ts';
import type { Run } from '../database.ts';
import { compute } from '../statements.ts';
import { placedColumnsOf } from './places.ts';

const COLUMNS = { ...EVENTS.columns, told_at: 'integer?', over_at: 'integer?' } as const;
/** The types as in the index. Two machines may have seen the same outage begin: it is over when it is over for both. */
const PENDING: Rows<typeof COLUMNS> = {
  columns: COLUMNS,
  sql: `SELECT ${placedColumnsOf(EVENTS)},
      (SELECT max(attempts.at) FROM endpoint_attempts AS attempts
         JOIN events AS told ON told.id = attempts.event_id
       WHERE attempts.endpoint_id = @endpointId AND attempts.outcome = 'delivered'
         AND told.type = events.type AND told.app IS NOT DISTINCT FROM events.app
         AND told.provider IS NOT DISTINCT FROM events.provider
         AND told.endpoint_id IS NOT DISTINCT FROM events.endpoint_id) AS told_at,
      (SELECT CASE WHEN every(ended_at IS NOT NULL) THEN max(ended_at) END FROM outages
       WHERE outages.app = events.app AND outages.provider = events.provider
         AND began_at = events.at) AS over_at
    FROM events
    WHERE type IN (${ALERTS.map((type) => `'${type}'`).join(', ')}) AND place > @after
    ORDER BY place LIMIT @limit`,
};

export async function findAlerts(
  run: Run,
  query: { readonly endpointId: string; readonly after: number; readonly limit: number },
): Promise<readonly PendingAlert[]> {
  const found = await compute(run, PENDING, query);
  return found.flatMap(({ told_at, over_at, ...row }) =>
    toEvent(row).map((event) => ({
      event,
      toldAtMs: told_at ?? undefined,
      endedAtMs: over_at ?? undefined,
    })),
  );
}

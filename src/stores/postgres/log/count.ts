// Counts deliveries and refusals for statistics, a page of rows at a time, grouped where the rows are.

import type { CountedPage, CountOptions } from '../../../core/ports/log.ts';
import { OPERATOR_SOURCE } from '../../../core/ports/records.ts';
import {
  DELIVERY_COLUMNS,
  EXTENT_COLUMNS,
  nextRowIdOf,
  ONE_SPAN_MS,
  REFUSAL_COLUMNS,
  toDeliveryCount,
  toRefusalCount,
} from '../../counts.ts';
import type { Rows } from '../../rows.ts';
import type { Run } from '../database.ts';
import { compute } from '../statements.ts';
import { wall } from '../times.ts';

function spanOf(column: string): string {
  return `floor(extract(epoch FROM ${column}) * 1000 / @spanMs)`;
}

const DELIVERIES: Rows<typeof DELIVERY_COLUMNS> = {
  columns: DELIVERY_COLUMNS,
  sql: `WITH page AS (
      SELECT row_id, received_at, app, provider, status, reason,
        CASE status WHEN 'delivered' THEN NULL ELSE token_hash END AS token_hash
      FROM deliveries WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows
    )
    SELECT ${spanOf('received_at')} AS span, app, provider, status, page.reason AS reason, token_hash,
      CASE WHEN started_at IS NOT NULL
        THEN greatest(0, extract(epoch FROM started_at - received_at) * 1000 + latency_ms) END AS after_ms,
      count(*) AS count
    FROM page LEFT JOIN attempts ON attempts.row_id = page.row_id AND attempts.outcome = 'delivered'
    WHERE received_at >= @since GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7`,
};

const REFUSALS: Rows<typeof REFUSAL_COLUMNS> = {
  columns: REFUSAL_COLUMNS,
  sql: `WITH page AS (SELECT * FROM refusals WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows)
    SELECT ${spanOf('last_at')} AS span, app, code, token_hash, sum(count) AS count FROM page
    WHERE last_at >= @since AND source IS DISTINCT FROM '${OPERATOR_SOURCE}'
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`,
};

function extentOf(table: string, column: string): Rows<typeof EXTENT_COLUMNS> {
  return {
    columns: EXTENT_COLUMNS,
    sql: `SELECT count(*) AS rows, min(row_id) AS last_row_id, min(at) AS oldest_ms
      FROM (SELECT row_id, ${column} AS at FROM ${table}
        WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows) AS page`,
  };
}

const EXTENTS = {
  deliveries: extentOf('deliveries', 'received_at'),
  refusals: extentOf('refusals', 'last_at'),
};

export async function countPage(run: Run, options: CountOptions): Promise<CountedPage> {
  const { of, sinceMs, beforeRowId, maxRows, spanMs = ONE_SPAN_MS } = options;
  const values = { before: beforeRowId ?? Number.MAX_SAFE_INTEGER, maxRows };
  const [extent] = await compute(run, EXTENTS[of], values);
  const period = { ...values, since: wall(sinceMs), spanMs };
  return {
    deliveries:
      of === 'deliveries'
        ? (await compute(run, DELIVERIES, period)).map((row) => toDeliveryCount(row, spanMs))
        : [],
    refusals:
      of === 'refusals'
        ? (await compute(run, REFUSALS, period)).map((row) => toRefusalCount(row, spanMs))
        : [],
    nextRowId: nextRowIdOf(extent, { maxRows, sinceMs }),
  };
}

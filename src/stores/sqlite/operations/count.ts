// Counts deliveries and refusals for statistics, a page of rows at a time. Rows lie in the order of time: a page that
// is older than the period is the last.

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
import { prepareRows, type Reading } from '../reading.ts';

/** Grouped in the database: a page takes milliseconds. */
const DELIVERIES: Rows<typeof DELIVERY_COLUMNS> = {
  columns: DELIVERY_COLUMNS,
  sql: `WITH page AS (
      SELECT row_id, received_at_ms, app, provider, status, reason,
        CASE status WHEN 'delivered' THEN NULL ELSE token_hash END AS token_hash
      FROM deliveries WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows
    )
    SELECT CAST(received_at_ms / @spanMs AS INTEGER) AS span, app, provider, status, page.reason AS reason, token_hash,
      max(0, started_at_ms + latency_ms - received_at_ms) AS after_ms, count(*) AS count
    FROM page LEFT JOIN attempts ON attempts.row_id = page.row_id AND attempts.outcome = 'delivered'`,
};

const REFUSALS: Rows<typeof REFUSAL_COLUMNS> = {
  columns: REFUSAL_COLUMNS,
  sql: `WITH page AS (
      SELECT * FROM refusals WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows
    )
    SELECT CAST(last_at_ms / @spanMs AS INTEGER) AS span, app, code, token_hash, sum(count) AS count FROM page`,
};

function extentOf(table: string, timeColumn: string): Rows<typeof EXTENT_COLUMNS> {
  return {
    columns: EXTENT_COLUMNS,
    sql: `SELECT count(*) AS rows, min(row_id) AS last_row_id, min(at_ms) AS oldest_ms
      FROM (SELECT row_id, ${timeColumn} AS at_ms FROM ${table}
        WHERE row_id < @before ORDER BY row_id DESC LIMIT @maxRows)`,
  };
}

export function prepareCount(db: Reading): (options: CountOptions) => CountedPage {
  const tables = {
    deliveries: prepareRows(db, extentOf('deliveries', 'received_at_ms'), ''),
    refusals: prepareRows(db, extentOf('refusals', 'last_at_ms'), ''),
  };
  const countDeliveries = prepareRows(
    db,
    DELIVERIES,
    'WHERE received_at_ms >= @sinceMs GROUP BY 1, 2, 3, 4, 5, 6, 7',
  );
  const countRefusals = prepareRows(
    db,
    REFUSALS,
    `WHERE last_at_ms >= @sinceMs AND source IS NOT '${OPERATOR_SOURCE}' GROUP BY 1, 2, 3, 4`,
  );

  return function countPage({
    of,
    sinceMs,
    beforeRowId,
    maxRows,
    spanMs = ONE_SPAN_MS,
  }): CountedPage {
    const values = { before: beforeRowId ?? Number.MAX_SAFE_INTEGER, maxRows, sinceMs, spanMs };
    const [extent] = tables[of](values);
    return {
      deliveries:
        of === 'deliveries'
          ? countDeliveries(values).map((row) => toDeliveryCount(row, spanMs))
          : [],
      refusals:
        of === 'refusals' ? countRefusals(values).map((row) => toRefusalCount(row, spanMs)) : [],
      nextRowId: nextRowIdOf(extent, { maxRows, sinceMs }),
    };
  };
}

// What an operator asks the log: the newest deliveries that match, with their attempts.

import type { DeliveryStatus } from '../../../core/delivery.ts';
import type { DeliveryQuery, LoggedDelivery } from '../../../core/ports/store.ts';
import { toLogged } from '../../domain.ts';
import { LOGGED_ATTEMPTS, LOGGED_DELIVERIES, type RowOf } from '../../rows.ts';
import type { Database, Run, Value } from '../database.ts';
import { columnsOf, rowsOf, selectOf } from '../reading.ts';
import { readWakes } from '../receipts/wakes.ts';
import { wall } from '../times.ts';

const MAX_ROWS = 1_000;
const ATTEMPTS_OF_ROWS = {
  columns: { row_id: 'integer', ...LOGGED_ATTEMPTS.columns },
  sql: 'attempts of several deliveries',
} as const;

/** In the order of acceptance, which is that of the rows. */
export function prepareSearch(database: Database) {
  return function search(query: DeliveryQuery): Promise<readonly LoggedDelivery[]> {
    const { condition, values } = conditionOf(query);
    const limit = Math.min(MAX_ROWS, Math.max(1, Math.floor(query.limit)));
    return database.transaction(async (run) => {
      const { rows } = await run(
        `${selectOf(LOGGED_DELIVERIES)} ${condition} ORDER BY row_id DESC LIMIT ${limit}`,
        values,
      );
      return await readLogged(run, rowsOf(LOGGED_DELIVERIES, rows));
    });
  };
}

/** With their attempts; in the order of the rows. */
export async function readLogged(
  run: Run,
  deliveries: readonly RowOf<typeof LOGGED_DELIVERIES>[],
): Promise<readonly LoggedDelivery[]> {
  const { rows } = await run(
    `SELECT ${columnsOf(ATTEMPTS_OF_ROWS)} FROM attempts WHERE row_id = ANY($1::bigint[]) ORDER BY number`,
    [deliveries.map(({ row_id }) => row_id)],
  );
  const attempts = Map.groupBy(rowsOf(ATTEMPTS_OF_ROWS, rows), ({ row_id }) => row_id);
  const wakes = await readWakes(
    run,
    deliveries.map(({ row_id }) => row_id),
  );
  return deliveries.map(({ row_id, ...row }) =>
    toLogged({ row_id, ...row }, attempts.get(row_id) ?? [], wakes.get(row_id)),
  );
}

/** Newest first, by their rows; without those that were pruned meanwhile. */
export async function findByRows(
  run: Run,
  rowIds: readonly number[],
): Promise<readonly LoggedDelivery[]> {
  if (rowIds.length === 0) return [];
  const { rows } = await run(
    `${selectOf(LOGGED_DELIVERIES)} WHERE row_id = ANY($1::bigint[]) ORDER BY row_id DESC`,
    [rowIds],
  );
  return await readLogged(run, rowsOf(LOGGED_DELIVERIES, rows));
}

function conditionOf(query: DeliveryQuery) {
  const { id, tokenHash, subjectHash, status, app, sinceMs } = query;
  const conditions: string[] = [];
  const values: Value[] = [];
  const add = (value: Value | undefined, write: (parameter: string) => string) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(write(`$${values.length}`));
  };
  add(id, (parameter) => `id = ${parameter}`);
  add(tokenHash, (parameter) => `token_hash = ${parameter}`);
  add(subjectHash, (parameter) => `subject_hash = ${parameter}`);
  add(status, (parameter) => statusCondition(status, parameter));
  add(app, (parameter) => `app = ${parameter}`);
  const since = sinceMs === undefined ? undefined : wall(sinceMs);
  add(since, (parameter) => `received_at >= ${parameter}`);
  return {
    condition: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`,
    values,
  };
}

/** The rare statuses have indexes of their own: the queue, and a partial one for what failed. */
function statusCondition(status: DeliveryStatus | undefined, parameter: string): string {
  switch (status) {
    case 'queued':
      return `row_id IN (SELECT row_id FROM queue) AND status = ${parameter}`;
    case 'delivered':
      return `status = ${parameter}`;
    default:
      return `status NOT IN ('queued', 'delivered') AND status = ${parameter}`;
  }
}

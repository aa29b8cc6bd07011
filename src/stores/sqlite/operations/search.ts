// What an operator asks the log: the newest deliveries that match, with their attempts.

import type { DeliveryStatus } from '../../../core/delivery.ts';
import type { DeliveryQuery, LoggedDelivery } from '../../../core/ports/store.ts';
import { toLogged } from '../../domain.ts';
import { LOGGED_ATTEMPTS, LOGGED_DELIVERIES } from '../../rows.ts';
import { prepareRows, type Reading } from '../reading.ts';
import { prepareReceiptQueries } from '../receipts/queries.ts';

const MAX_ROWS = 1_000;
const ATTEMPTS_OF_ROW = 'WHERE row_id = @rowId ORDER BY number';

/** In the order of acceptance, which is that of the rows. */
export function prepareSearch(db: Reading) {
  const findAttempts = prepareRows(db, LOGGED_ATTEMPTS, ATTEMPTS_OF_ROW);
  const { findWake } = prepareReceiptQueries(db);
  // One statement for each combination of conditions, prepared at its first use.
  const statements = new Map<string, ReturnType<typeof prepareFind>>();

  return function search(query: DeliveryQuery): readonly LoggedDelivery[] {
    const condition = conditionOf(query);
    const find = statements.get(condition) ?? prepareFind(db, condition);
    statements.set(condition, find);
    const limit = Math.min(MAX_ROWS, Math.max(1, Math.floor(query.limit)));
    const { id = null, tokenHash = null, subjectHash = null, status = null } = query;
    const { app = null, sinceMs = null } = query;
    return find({ id, tokenHash, subjectHash, status, app, sinceMs, limit }).map((row) =>
      toLogged(row, findAttempts({ rowId: row.row_id }), findWake(row.id)),
    );
  };
}

/** One delivery by its row; undefined if it was pruned meanwhile. */
export function prepareFindByRow(db: Reading) {
  const find = prepareRows(db, LOGGED_DELIVERIES, 'WHERE row_id = @rowId');
  const findAttempts = prepareRows(db, LOGGED_ATTEMPTS, ATTEMPTS_OF_ROW);
  const { findWake } = prepareReceiptQueries(db);
  return (rowId: number): readonly LoggedDelivery[] =>
    find({ rowId }).map((row) => toLogged(row, findAttempts({ rowId }), findWake(row.id)));
}

function prepareFind(db: Reading, condition: string) {
  return prepareRows(db, LOGGED_DELIVERIES, `${condition} ORDER BY row_id DESC LIMIT @limit`);
}

function conditionOf(query: DeliveryQuery): string {
  const { id, tokenHash, subjectHash, status, app, sinceMs } = query;
  const conditions: string[] = [];
  if (id !== undefined) conditions.push('id = @id');
  if (tokenHash !== undefined) conditions.push('token_hash = @tokenHash');
  if (subjectHash !== undefined) conditions.push('subject_hash = @subjectHash');
  if (status !== undefined) conditions.push(statusCondition(status));
  if (app !== undefined) conditions.push('app = @app');
  if (sinceMs !== undefined) conditions.push('received_at_ms >= @sinceMs');
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

/** The rare statuses have indexes of their own: the queue, and a partial one for what failed. */
function statusCondition(status: DeliveryStatus): string {
  switch (status) {
    case 'queued':
      return 'row_id IN (SELECT row_id FROM queue) AND status = @status';
    case 'delivered':
      return 'status = @status';
    default:
      return "status NOT IN ('queued', 'delivered') AND status = @status";
  }
}

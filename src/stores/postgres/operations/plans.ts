// Changes of many plans at once: a start, the end of an outage, repeats, and lifetimes that end.

import type { HastenOptions, Renewal } from '../../../core/ports/plans.ts';
import type { Store } from '../../../core/ports/store.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { wholeMs } from '../../values.ts';
import type { Database, Run } from '../database.ts';
import { recordDone } from '../events/ended.ts';
import { rowsOf } from '../reading.ts';
import { type Times, wall } from '../times.ts';
import { FINISH, UNTOLD } from './finish.ts';

/** The delivery was perhaps sent by a process that ended before it knew. */
const INTERRUPTED = 'interrupted';
/** Clocks of machines differ a little: only a receipt that is further in the future means that a clock was set back. */
const AHEAD_MS = 60_000;
/** For statements that may change every waiting row. */
const MANY_ROWS_MS = 15_000;

interface PlanParts {
  readonly database: Database;
  readonly sealer: Sealer;
  readonly times: Times;
}

const COUNT = { columns: { count: 'integer' }, sql: 'a count' } as const;

export function preparePlans({ database, sealer, times }: PlanParts) {
  return {
    hasten: prepareHasten(database, times),
    recover: prepareRecover(database, times),

    async renew({
      deliveryId,
      expiresAtMs,
      usefulUntilMs,
      dueAtMs,
      wallMs,
    }: Renewal): Promise<boolean> {
      const { count } = await database.run(
        `WITH renewed AS (
           UPDATE queue SET expires_at = $2, useful_until = $3, due_at = least(due_at, $4)
           WHERE row_id = (SELECT row_id FROM deliveries WHERE id = $1) RETURNING row_id)
         UPDATE deliveries d SET renewed_at = $5 FROM renewed WHERE renewed.row_id = d.row_id`,
        [
          ...[deliveryId, times.endAt(expiresAtMs), times.endAt(usefulUntilMs)],
          ...[times.at(dueAtMs), wall(wallMs)],
        ],
      );
      return count > 0;
    },

    async releaseLeases(owner: string): Promise<void> {
      await database.run(
        `UPDATE queue q SET due_at = 'epoch', lease_owner = NULL, lease_until = NULL,
           interrupted = q.interrupted OR d.attempts = 0
         FROM deliveries d WHERE d.row_id = q.row_id AND q.row_id IN (
           SELECT row_id FROM queue WHERE lease_owner = $1 ORDER BY row_id FOR UPDATE)`,
        [owner],
        { statementMs: MANY_ROWS_MS },
      );
    },

    async expireOverdue({
      nowMs,
      wallMs,
      limit,
    }: Parameters<Store['expireOverdue']>[0]): Promise<readonly string[]> {
      const sql = `WITH overdue AS MATERIALIZED (
           SELECT row_id, expires_at, interrupted, key_hash FROM queue
           WHERE expires_at < $1 AND (lease_until IS NULL OR lease_until <= $1)
           ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED),
         ended AS (
           SELECT o.row_id, o.expires_at, o.key_hash, d.id, d.token_hash, 'expired' AS status,
             CASE WHEN o.interrupted THEN '${INTERRUPTED}' END AS reason, $3::timestamptz AS settled_at,
             0 AS attempts, o.interrupted AS keep_key, ${UNTOLD}
           FROM overdue o JOIN deliveries d USING (row_id)),
         ${FINISH}
         SELECT ended.id AS done_id, ends.* FROM ended LEFT JOIN ends ON ends.id = ended.id
         ORDER BY ended.expires_at`;
      const values = [times.at(nowMs), limit, wall(wallMs)];
      return await database.transaction(
        async (run) => await recordDone(run, await run(sql, values), sealer),
      );
    },
  };
}

function prepareHasten(database: Database, times: Times) {
  const waiting = `app = $1 AND provider = $2 AND due_at > $3 AND (lease_until IS NULL OR lease_until <= $3)`;
  const rest = `$4 * interval '1 millisecond'`;
  const rested = `greatest($3, tried_at + ${rest})`;
  const spread = `$3::timestamptz + floor(rank * $5::bigint / total) * interval '1 millisecond'`;
  const sql = `WITH
    races AS MATERIALIZED (
      SELECT row_id FROM queue WHERE ${waiting} AND race AND due_at > ${rested}
      ORDER BY row_id FOR UPDATE SKIP LOCKED),
    hurried AS (
      UPDATE queue q SET due_at = ${rested} FROM races WHERE races.row_id = q.row_id RETURNING 1),
    news AS MATERIALIZED (
      SELECT row_id, due_at FROM queue
      WHERE ${waiting} AND NOT race AND (tried_at IS NULL OR tried_at <= $3 - ${rest})
      ORDER BY row_id FOR UPDATE SKIP LOCKED),
    late AS (
      SELECT row_id, row_number() OVER (ORDER BY due_at, row_id) - 1 AS rank, count(*) OVER () AS total FROM news),
    spread AS (
      UPDATE queue q SET due_at = ${spread} FROM late
      WHERE late.row_id = q.row_id AND q.due_at > ${spread} RETURNING 1)
    SELECT (SELECT count(*) FROM hurried) + (SELECT count(*) FROM spread) AS count`;

  return async function hasten(options: HastenOptions): Promise<number> {
    const { app, provider, nowMs, restMs, newsSpreadMs } = options;
    const values = [app, provider, times.at(nowMs), wholeMs(restMs), wholeMs(newsSpreadMs)];
    const { rows } = await database.run(sql, values, { statementMs: MANY_ROWS_MS });
    return rowsOf(COUNT, rows)[0]?.count ?? 0;
  };
}

/**
 * Makes rows due that are leased by a machine that is not in `nodes`: it stopped, or died unnoticed. Machines in
 * `nodes` keep their leases until the others declare them dead and take over (machines/nodes.ts).
 */
function prepareRecover(database: Database, times: Times) {
  return function recover({ nowMs }: { readonly nowMs: number }): Promise<number> {
    const now = times.at(nowMs);
    const change = async (run: Run): Promise<number> => {
      // Times of the queue are the database's: a receipt, which is a machine's wall time, says nothing about them.
      await run(
        `WITH ahead AS (
           SELECT row_id, expires_at - lifetime_ms * interval '1 millisecond' - $1 AS by
           FROM queue JOIN deliveries USING (row_id)
           WHERE expires_at - lifetime_ms * interval '1 millisecond' > $1::timestamptz + ${AHEAD_MS} * interval '1 millisecond')
         UPDATE queue q SET due_at = due_at - by, not_before = not_before - by, tried_at = tried_at - by,
           useful_until = useful_until - by, expires_at = expires_at - by
         FROM ahead WHERE ahead.row_id = q.row_id`,
        [now],
      );
      await run(
        `UPDATE deliveries SET received_at = $1 WHERE row_id IN (SELECT row_id FROM queue)
           AND received_at > $1::timestamptz + ${AHEAD_MS} * interval '1 millisecond'`,
        [now],
      );
      await run(
        `UPDATE queue q SET due_at = $1, lease_owner = NULL, lease_until = NULL,
           interrupted = q.interrupted OR d.attempts = 0
         FROM deliveries d WHERE d.row_id = q.row_id AND q.lease_owner IS NOT NULL
           AND NOT EXISTS (SELECT FROM nodes WHERE nodes.id = q.lease_owner)`,
        [now],
      );
      const { rows } = await run('SELECT count(*) AS count FROM queue');
      return rowsOf(COUNT, rows)[0]?.count ?? 0;
    };
    return database.transaction(change, { statementMs: MANY_ROWS_MS });
  };
}

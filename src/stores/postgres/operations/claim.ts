// Claims of due deliveries. Several machines that claim at once get different rows: rows that one has locked are
// skipped by the others.

import type { Delivery } from '../../../core/delivery.ts';
import {
  type Claim,
  type ClaimResult,
  type ClaimSelection,
  momentOf,
} from '../../../core/ports/plans.ts';
import { StoreUnavailableError } from '../../../core/ports/store.ts';
import { toDelivery } from '../../domain.ts';
import { CLAIMED_DELIVERIES, type RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Database, Run } from '../database.ts';
import { recordDone } from '../events/ended.ts';
import type { Nodes } from '../machines/nodes.ts';
import { columnsOf, rowsOf } from '../reading.ts';
import type { Times } from '../times.ts';
import { finishOpen } from './finish-open.ts';

/** The content of the row was lost: sealed under a key that is gone, or damaged. */
const UNDECRYPTABLE = 'undecryptable';

/** The rows that a claim may have: not leased and not held at $3. */
const CLAIMABLE = `(lease_until IS NULL OR lease_until <= $3) AND (not_before IS NULL OR not_before <= $3)`;

const SELECTIONS: Readonly<Record<ClaimSelection['kind'], { where: string; order: string }>> = {
  due: { where: 'ready_at <= $4', order: 'useful_until' },
  probe: { where: CLAIMABLE, order: 'tried_at NULLS FIRST' },
  last_moment: {
    where: `lease_owner IS NULL AND ${CLAIMABLE} AND useful_until <= $4`,
    order: 'useful_until',
  },
  unsent: { where: 'lease_owner = $6 AND lease_until = $4', order: 'useful_until' },
};

const NEXT_TIMES = {
  columns: { due_at_ms: 'integer?', useful_until_ms: 'integer?' },
  sql: 'the next times',
} as const;

type ClaimedRow = RowOf<typeof CLAIMED_DELIVERIES>;

/**
 * A machine that others declared dead gets nothing before it has joined them again.
 *
 * The CTE `queue` stands for the table in the last SELECT: the rows as they were just leased.
 */
function claimSql({ where, order }: { readonly where: string; readonly order: string }): string {
  return `WITH chosen AS MATERIALIZED (
      SELECT row_id, ${order.split(' ')[0]} AS place FROM queue
      WHERE app = $1 AND provider = $2 AND ${where} AND $3::timestamptz IS NOT NULL AND $4::timestamptz IS NOT NULL
        AND ($6 <> $10 OR EXISTS (SELECT FROM nodes WHERE id = $10 AND epoch = $9))
      ORDER BY ${order}, row_id LIMIT $5 FOR UPDATE SKIP LOCKED),
    queue AS (
      UPDATE queue q SET lease_owner = $6, lease_until = $7, tried_at = coalesce($8, q.tried_at)
      FROM chosen WHERE chosen.row_id = q.row_id
      RETURNING q.*, chosen.place)
    SELECT ${columnsOf(CLAIMED_DELIVERIES)} FROM ${CLAIMED_DELIVERIES.tables}
    ORDER BY queue.place NULLS FIRST, row_id`;
}

/**
 * Rejects while others may consider this machine dead, or if they did so meanwhile: the claimed rows may be theirs, and
 * none of them is sent.
 */
export function claimWhileFresh(
  nodes: Pick<Nodes, 'epoch' | 'freshen' | 'isFresh'>,
  claimFresh: (request: Claim) => Promise<ClaimResult>,
): (request: Claim) => Promise<ClaimResult> {
  return async (request) => {
    const isFresh = await nodes.freshen();
    const { epoch } = nodes;
    const claimed = isFresh ? await claimFresh(request) : undefined;
    if (claimed === undefined || !nodes.isFresh || nodes.epoch !== epoch) {
      throw new StoreUnavailableError('unreachable');
    }
    return claimed;
  };
}

export function prepareClaim(
  database: Database,
  {
    sealer,
    times,
    nodes,
  }: { readonly sealer: Sealer; readonly times: Times; readonly nodes: Nodes },
) {
  return claimWhileFresh(nodes, claimFresh);

  function claimFresh(request: Claim): Promise<ClaimResult> {
    const { app, provider, nowMs, wallMs, select, limit, owner, leaseUntilMs } = request;
    // Otherwise a probe whose end is not recorded would be chosen again and again.
    const triedAt = select.kind === 'probe' ? times.at(nowMs) : null;
    const values = [
      ...[app, provider, times.at(nowMs), times.at(momentOf(request)), limit],
      ...[owner, times.at(leaseUntilMs), triedAt, nodes.epoch, nodes.id],
    ];
    return database.transaction(async (run) => {
      const found = await run(claimSql(SELECTIONS[select.kind]), values);
      const rows = rowsOf(CLAIMED_DELIVERIES, found.rows).map((row) => toServiceTime(row, times));
      const deliveries: Delivery[] = [];
      const lost: ClaimedRow[] = [];
      for (const row of rows) {
        const delivery = toDelivery(sealer, row);
        if (delivery === undefined) lost.push(row);
        else deliveries.push(delivery);
      }
      const end = { status: 'misconfigured', reason: UNDECRYPTABLE, wallMs } as const;
      await recordDone(run, await finishOpen(run, lost, end), sealer);
      return { deliveries, ...(await findNext(run, { request, rows, times })) };
    });
  }
}

/** Times of the queue are the database's; that of receipt is wall time. */
function toServiceTime(row: ClaimedRow, times: Times): ClaimedRow {
  return { ...row, expires_at_ms: times.from(row.expires_at_ms) };
}

/** The first over all remaining rows, leased or not; the second over rows that are not leased. */
async function findNext(
  run: Run,
  given: { readonly request: Claim; readonly rows: readonly ClaimedRow[]; readonly times: Times },
) {
  const { request, rows, times } = given;
  const { app, provider } = request;
  const waiting = 'FROM queue WHERE app = $1 AND provider = $2 AND row_id <> ALL($3::bigint[])';
  const found = await run(
    `SELECT (SELECT ready_at ${waiting} ORDER BY ready_at LIMIT 1) AS due_at_ms,
       (SELECT useful_until ${waiting} AND lease_owner IS NULL ORDER BY useful_until LIMIT 1) AS useful_until_ms`,
    [app, provider, rows.map(({ row_id }) => row_id)],
  );
  const [next] = rowsOf(NEXT_TIMES, found.rows);
  const from = (ms: number | null | undefined) =>
    ms === null || ms === undefined ? undefined : times.from(ms);
  return { nextDueAtMs: from(next?.due_at_ms), nextUsefulUntilMs: from(next?.useful_until_ms) };
}

// Claims of due deliveries, and changes of many plans at once.

import type Database from 'better-sqlite3';
import type { Delivery } from '../../../core/delivery.ts';
import {
  type Claim,
  type ClaimResult,
  type ClaimSelection,
  type HastenOptions,
  momentOf,
} from '../../../core/ports/plans.ts';
import { toDelivery } from '../../domain.ts';
import { CLAIMED_DELIVERIES, OPEN_DELIVERIES, type RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { wholeMs } from '../../values.ts';
import type { ExpiryOptions } from '../protocol.ts';
import type { Finish } from './finish.ts';

/** The content of the row was lost: sealed under a key that is gone, or damaged. */
const UNDECRYPTABLE = 'undecryptable';
/** The delivery was perhaps sent by a process that ended before it knew. */
const INTERRUPTED = 'interrupted';

type ClaimedRow = RowOf<typeof CLAIMED_DELIVERIES>;

interface Lane {
  readonly app: string;
  readonly provider: string;
}

export function prepareQueueOperations(db: Database.Database, sealer: Sealer, finish: Finish) {
  return {
    claim: prepareClaim(db, sealer, finish),
    expireOverdue: prepareExpiry(db, finish),
    hasten: prepareHasten(db),
    ...prepareRestart(db),
  };
}

function prepareClaim(db: Database.Database, sealer: Sealer, finish: Finish) {
  const find = prepareFind(db);
  const findNext = prepareFindNext(db);
  const lease = db.prepare(
    `UPDATE queue SET lease_owner = ?, lease_until_ms = ?, tried_at_ms = coalesce(?, tried_at_ms)
     WHERE row_id = ?`,
  );

  return function claim(request: Claim): ClaimResult {
    const { owner, nowMs, wallMs, leaseUntilMs, select } = request;
    // Otherwise a probe whose end is not recorded would be chosen again and again.
    const triedAtMs = select.kind === 'probe' ? wholeMs(nowMs) : null;
    const deliveries: Delivery[] = [];
    const claimed = new Set<number>();
    for (const row of find(request)) {
      const delivery = toDelivery(sealer, row);
      if (delivery === undefined) {
        finish(row, { status: 'misconfigured', reason: UNDECRYPTABLE, wallMs });
        continue;
      }
      lease.run(owner, wholeMs(leaseUntilMs), triedAtMs, row.row_id);
      claimed.add(row.row_id);
      deliveries.push(delivery);
    }
    return { deliveries, ...findNext(request, claimed) };
  };
}

/** The rows that a claim may have: not leased and not held at `@nowMs`. */
const CLAIMABLE = `(lease_until_ms IS NULL OR lease_until_ms <= @nowMs)
  AND (not_before_ms IS NULL OR not_before_ms <= @nowMs)`;

function prepareFind(db: Database.Database) {
  // Only keys are sorted: in a long backlog the content of most rows is not needed.
  const statement = (condition: string, order: string) =>
    db.prepare<
      Lane & { owner: string; nowMs: number; momentMs: number; limit: number },
      ClaimedRow
    >(
      `${CLAIMED_DELIVERIES.sql} WHERE row_id IN (
         SELECT row_id FROM queue WHERE app = @app AND provider = @provider AND ${condition}
         ORDER BY ${order}, row_id LIMIT @limit)
       ORDER BY ${order}, row_id`,
    );
  const statements: Readonly<Record<ClaimSelection['kind'], ReturnType<typeof statement>>> = {
    due: statement('ready_at_ms <= @momentMs', 'useful_until_ms'),
    probe: statement(CLAIMABLE, 'tried_at_ms'),
    last_moment: statement(
      `lease_owner IS NULL AND ${CLAIMABLE} AND useful_until_ms <= @momentMs`,
      'useful_until_ms',
    ),
    unsent: statement('lease_owner = @owner AND lease_until_ms = @momentMs', 'useful_until_ms'),
  };

  return function find(claim: Claim): readonly ClaimedRow[] {
    const { owner, app, provider, nowMs, select, limit } = claim;
    const momentMs = momentOf(claim);
    return statements[select.kind].all({ owner, app, provider, nowMs, momentMs, limit });
  };
}

/** Both walk along an index, past the rows that were just claimed and those that others lease. */
function prepareFindNext(db: Database.Database) {
  const byReadiness = db.prepare<Lane, { row_id: number; at_ms: number }>(
    `SELECT row_id, ready_at_ms AS at_ms FROM queue WHERE app = @app AND provider = @provider
     ORDER BY ready_at_ms`,
  );
  const byUsefulLife = db.prepare<Lane, { row_id: number; at_ms: number }>(
    `SELECT row_id, useful_until_ms AS at_ms FROM queue WHERE app = @app AND provider = @provider
       AND lease_owner IS NULL
     ORDER BY useful_until_ms`,
  );

  return function findNext({ app, provider }: Claim, claimed: ReadonlySet<number>) {
    const firstLeft = (rows: Iterable<{ row_id: number; at_ms: number }>) => {
      for (const { row_id, at_ms } of rows) if (!claimed.has(row_id)) return at_ms;
      return undefined;
    };
    return {
      nextDueAtMs: firstLeft(byReadiness.iterate({ app, provider })),
      nextUsefulUntilMs: firstLeft(byUsefulLife.iterate({ app, provider })),
    };
  };
}

function prepareExpiry(db: Database.Database, finish: Finish) {
  const findOverdue = db.prepare<ExpiryOptions, RowOf<typeof OPEN_DELIVERIES>>(
    `${OPEN_DELIVERIES.sql} WHERE expires_at_ms < @nowMs
       AND (lease_until_ms IS NULL OR lease_until_ms <= @nowMs)
     ORDER BY expires_at_ms LIMIT @limit`,
  );
  return function expireOverdue(options: ExpiryOptions): readonly string[] {
    const overdue = findOverdue.all(options);
    for (const row of overdue) {
      const wasInterrupted = row.interrupted === 1;
      finish(row, {
        status: 'expired',
        reason: wasInterrupted ? INTERRUPTED : null,
        wallMs: options.wallMs,
        keepKey: wasInterrupted,
      });
    }
    return overdue.map(({ id }) => id);
  };
}

function prepareHasten(db: Database.Database) {
  const waiting = `app = @app AND provider = @provider AND due_at_ms > @nowMs
    AND (lease_until_ms IS NULL OR lease_until_ms <= @nowMs)`;
  const rested = 'max(@nowMs, coalesce(tried_at_ms, 0) + @restMs)';
  const races = db.prepare(
    `UPDATE queue SET due_at_ms = ${rested} WHERE ${waiting} AND race = 1 AND due_at_ms > ${rested}`,
  );
  const late = `${waiting} AND (tried_at_ms IS NULL OR tried_at_ms <= @nowMs - @restMs)`;
  const news = db.prepare(
    `WITH late AS (
       SELECT row_id, row_number() OVER (ORDER BY due_at_ms, row_id) - 1 AS rank, count(*) OVER () AS total
       FROM queue WHERE ${late} AND race = 0)
     UPDATE queue SET due_at_ms = CAST(@nowMs + late.rank * @newsSpreadMs / late.total AS INTEGER)
     FROM late WHERE late.row_id = queue.row_id
       AND due_at_ms > CAST(@nowMs + late.rank * @newsSpreadMs / late.total AS INTEGER)`,
  );
  return function hasten(options: HastenOptions): number {
    const { app, provider } = options;
    const lane = { app, provider, nowMs: wholeMs(options.nowMs), restMs: wholeMs(options.restMs) };
    const newsSpreadMs = wholeMs(options.newsSpreadMs);
    return races.run(lane).changes + news.run({ ...lane, newsSpreadMs }).changes;
  };
}

function prepareRestart(db: Database.Database) {
  const perhapsSent = `interrupted = max(interrupted,
    (SELECT attempts = 0 FROM deliveries d WHERE d.row_id = queue.row_id))`;
  const release = db.prepare(
    `UPDATE queue SET due_at_ms = 0, lease_owner = NULL, lease_until_ms = NULL, ${perhapsSent}
     WHERE lease_owner = ?`,
  );
  // A receipt in the future, or an end further away than the lifetime, means that the clock was set back.
  const dateBack = db.prepare<{ nowMs: number }>(
    `WITH ahead AS (
       SELECT row_id, max(received_at_ms, expires_at_ms - lifetime_ms) - @nowMs AS by_ms
       FROM queue JOIN deliveries USING (row_id)
       WHERE max(received_at_ms, expires_at_ms - lifetime_ms) > @nowMs)
     UPDATE queue SET due_at_ms = due_at_ms - by_ms, not_before_ms = not_before_ms - by_ms,
       tried_at_ms = tried_at_ms - by_ms, useful_until_ms = useful_until_ms - by_ms,
       expires_at_ms = expires_at_ms - by_ms
     FROM ahead WHERE ahead.row_id = queue.row_id`,
  );
  const receivedNow = db.prepare<{ nowMs: number }>(
    `UPDATE deliveries SET received_at_ms = @nowMs
     WHERE received_at_ms > @nowMs AND row_id IN (SELECT row_id FROM queue)`,
  );
  const resumeLeased = db.prepare<{ nowMs: number }>(
    `UPDATE queue SET due_at_ms = @nowMs, lease_owner = NULL, lease_until_ms = NULL, ${perhapsSent}
     WHERE lease_owner IS NOT NULL`,
  );
  const countOpen = db.prepare<[], number>('SELECT count(*) FROM queue').pluck();

  return {
    releaseLeases({ owner }: { readonly owner: string }): void {
      release.run(owner);
    },
    recover(options: { readonly nowMs: number }): number {
      const nowMs = wholeMs(options.nowMs);
      dateBack.run({ nowMs });
      receivedNow.run({ nowMs });
      resumeLeased.run({ nowMs });
      return countOpen.get() ?? 0;
    },
  };
}

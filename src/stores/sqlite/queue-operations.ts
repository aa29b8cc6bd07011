// Who sends what next: leasing what is due, giving leases back, and what a restart or the end of a
// provider's outage changes about due times.

import type Database from 'better-sqlite3';
import type { Delivery } from '../../core/delivery.ts';
import type { Claim, ClaimResult, HastenOptions } from '../../core/ports/store.ts';
import {
  codeOf,
  nameOf,
  PLATFORMS,
  PROVIDERS,
  unpackFingerprint,
  unpackUuid,
  wholeMs,
} from './codec.ts';
import { openContents } from './contents.ts';
import type { Finish } from './delivery-operations.ts';
import type { OpenRow } from './open-rows.ts';
import type { Sealer } from './seal.ts';

/** The secret of the row was lost: sealed under a key that is gone, or damaged. */
const UNDECRYPTABLE = 'undecryptable';

interface ClaimedRow extends OpenRow {
  readonly app: string;
  readonly platform: number;
  readonly provider: number;
  readonly type: string;
  readonly tokenHash: Buffer;
  readonly subjectHash: Buffer | null;
  readonly receivedAtMs: number;
  readonly expiresAtMs: number;
  readonly lifetimeMs: number;
  readonly attempts: number;
  readonly dueAtMs: number;
  readonly deviceId: Buffer | null;
  readonly sealed: Buffer | null;
}

const CLAIMED_ROW = `SELECT q.row_id AS rowId, d.id, q.key_hash AS keyHash, q.app, d.platform, q.provider,
    d.type, d.token_hash AS tokenHash, d.subject_hash AS subjectHash, d.received_at_ms AS receivedAtMs,
    d.expires_at_ms AS expiresAtMs, q.lifetime_ms AS lifetimeMs, q.due_at_ms AS dueAtMs,
    q.device_id AS deviceId, s.sealed,
    (SELECT coalesce(max(number), 0) FROM attempts a WHERE a.row_id = q.row_id) AS attempts
  FROM queue q JOIN deliveries d ON d.row_id = q.row_id LEFT JOIN secrets s ON s.row_id = q.row_id`;

export function prepareQueueOperations(db: Database.Database, sealer: Sealer, finish: Finish) {
  const findDue = prepareFindDue(db);
  const findNextDue = db
    .prepare<{ app: string; provider: number }, number | null>(
      `SELECT min(at) FROM (
         SELECT min(due_at_ms) AS at FROM queue
           WHERE app = @app AND provider = @provider AND lease_until_ms IS NULL
         UNION ALL
         SELECT min(max(due_at_ms, lease_until_ms)) FROM queue
           WHERE app = @app AND provider = @provider AND lease_until_ms IS NOT NULL)`,
    )
    .pluck();
  const lease = db.prepare('UPDATE queue SET lease_owner = ?, lease_until_ms = ? WHERE row_id = ?');

  function claim(request: Claim): ClaimResult {
    const deliveries: Delivery[] = [];
    for (const row of findDue(request)) {
      const delivery = toDelivery(sealer, row);
      if (delivery === undefined) {
        finish(row, { status: 'misconfigured', reason: UNDECRYPTABLE, nowMs: request.nowMs });
        continue;
      }
      lease.run(request.owner, wholeMs(request.leaseUntilMs), row.rowId);
      deliveries.push(delivery);
    }
    const { app, provider } = request;
    const nextDueAtMs = findNextDue.get({ app, provider: codeOf(PROVIDERS, provider) });
    return typeof nextDueAtMs === 'number' ? { deliveries, nextDueAtMs } : { deliveries };
  }

  return { claim, ...prepareSweeps(db) };
}

/** Waiting rows and those whose lease is over come from an index each; a big backlog is never sorted. */
function prepareFindDue(db: Database.Database) {
  const waiting = db.prepare<[string, number, number, number], ClaimedRow>(
    `${CLAIMED_ROW} WHERE q.app = ? AND q.provider = ? AND q.lease_until_ms IS NULL AND q.due_at_ms <= ?
     ORDER BY q.due_at_ms, q.row_id LIMIT ?`,
  );
  const abandoned = db.prepare<[string, number, number, number, number], ClaimedRow>(
    `${CLAIMED_ROW} WHERE q.app = ? AND q.provider = ? AND q.lease_until_ms <= ? AND q.due_at_ms <= ?
     ORDER BY q.due_at_ms, q.row_id LIMIT ?`,
  );
  return function findDue({ app, provider, nowMs, dueByMs, limit }: Claim): readonly ClaimedRow[] {
    const code = codeOf(PROVIDERS, provider);
    const rows = waiting.all(app, code, dueByMs, limit);
    const orphans = abandoned.all(app, code, nowMs, dueByMs, limit);
    if (orphans.length === 0) return rows;
    return [...rows, ...orphans]
      .sort((a, b) => a.dueAtMs - b.dueAtMs || a.rowId - b.rowId)
      .slice(0, limit);
  };
}

function prepareSweeps(db: Database.Database) {
  const release = db.prepare(
    `UPDATE queue SET due_at_ms = 0, lease_owner = NULL, lease_until_ms = NULL WHERE lease_owner = ?`,
  );
  // A receipt in the future, or an end further away than the lifetime, means the clock was set back.
  const dateBack = db.prepare<{ nowMs: number }>(
    `UPDATE deliveries SET received_at_ms = min(received_at_ms, @nowMs),
       expires_at_ms = min(expires_at_ms, @nowMs + q.lifetime_ms)
     FROM queue q WHERE q.row_id = deliveries.row_id
       AND (received_at_ms > @nowMs OR expires_at_ms > @nowMs + q.lifetime_ms)`,
  );
  const resetAll = db.prepare(
    'UPDATE queue SET due_at_ms = ?, lease_owner = NULL, lease_until_ms = NULL',
  );
  const hastenLate = db.prepare<{ app: string; provider: number; nowMs: number; spreadMs: number }>(
    `WITH late AS (
       SELECT row_id, row_number() OVER (ORDER BY due_at_ms, row_id) - 1 AS rank, count(*) OVER () AS total
       FROM queue WHERE app = @app AND provider = @provider AND due_at_ms > @nowMs)
     UPDATE queue SET due_at_ms = min(due_at_ms, CAST(@nowMs + late.rank * @spreadMs / late.total AS INTEGER))
     FROM late WHERE late.row_id = queue.row_id`,
  );

  return {
    releaseLeases: (owner: string): void => {
      release.run(owner);
    },
    recover: (nowMs: number): number => {
      dateBack.run({ nowMs: wholeMs(nowMs) });
      return resetAll.run(wholeMs(nowMs)).changes;
    },
    hasten: ({ app, provider, nowMs, spreadMs }: HastenOptions): number =>
      hastenLate.run({
        app,
        provider: codeOf(PROVIDERS, provider),
        nowMs: wholeMs(nowMs),
        spreadMs: wholeMs(spreadMs),
      }).changes,
  };
}

function toDelivery(sealer: Sealer, row: ClaimedRow): Delivery | undefined {
  const contents = row.sealed === null ? undefined : openContents(sealer, row.id, row.sealed);
  if (contents === undefined) return undefined;
  const { token, appData, title, payload } = contents;
  return {
    id: unpackUuid(row.id),
    target: {
      app: row.app,
      platform: nameOf(PLATFORMS, row.platform),
      token,
      ...(appData === undefined ? {} : { appData }),
    },
    ...(row.deviceId === null ? {} : { deviceId: unpackUuid(row.deviceId) }),
    provider: nameOf(PROVIDERS, row.provider),
    notification: { type: row.type, title, payload, lifetimeMs: row.lifetimeMs },
    tokenHash: unpackFingerprint(row.tokenHash),
    ...(row.subjectHash === null ? {} : { subjectHash: unpackFingerprint(row.subjectHash) }),
    receivedAtMs: row.receivedAtMs,
    expiresAtMs: row.expiresAtMs,
    attempts: row.attempts,
  };
}

// The life of a delivery: a row of `deliveries` and one of `queue` when it is accepted, a row of `attempts` for each
// attempt that ended, and at its end the row of `queue` is deleted with its content.

import type Database from 'better-sqlite3';
import type { Attempt } from '../../../core/delivery.ts';
import { isRace, usefulUntilMs } from '../../../core/notification.ts';
import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import type { Renewal } from '../../../core/ports/plans.ts';
import type { AcceptedDelivery, Confirmation } from '../../../core/ports/store.ts';
import { requestIdOf } from '../../domain.ts';
import { OPEN_DELIVERIES, type RowOf } from '../../rows.ts';
import { sealDelivery } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import {
  DEVICE_DELETED,
  fingerprint,
  maybeFingerprint,
  wholeEndMs,
  wholeMs,
} from '../../values.ts';
import type { EventRecording } from '../events/recording.ts';
import type { ReplyRecord, SettlementWrite } from '../protocol.ts';
import { type Finish, prepareFinish } from './finish.ts';
import { prepareTell } from './records.ts';

interface Parts {
  readonly finish: Finish;
  readonly recordAttempt: ReturnType<typeof prepareAttempt>;
  readonly findOpen: Database.Statement<[string], RowOf<typeof OPEN_DELIVERIES>>;
}

export function prepareDeliveryOperations(
  db: Database.Database,
  sealer: Sealer,
  recording: EventRecording,
) {
  const parts: Parts = {
    finish: prepareFinish(db, recording),
    recordAttempt: prepareAttempt(db),
    // With `id = ?` on the join, SQLite was seen to plan the statement again for each new value: 160 µs or more, not 20.
    findOpen: db.prepare(
      `${OPEN_DELIVERIES.sql} WHERE row_id = (SELECT row_id FROM deliveries WHERE id = ?)`,
    ),
  };
  const { finish, recordAttempt, findOpen } = parts;
  const renewRow = db.prepare(
    `UPDATE queue SET expires_at_ms = @expiresAtMs, useful_until_ms = @usefulUntilMs,
       due_at_ms = min(due_at_ms, @dueAtMs)
     WHERE row_id = (SELECT row_id FROM deliveries WHERE id = @id)`,
  );
  const recordRenewal = db.prepare('UPDATE deliveries SET renewed_at_ms = ? WHERE id = ?');
  const recordReply = db.prepare('UPDATE deliveries SET answered_at_ms = ? WHERE id = ?');

  return {
    insert: prepareInsert(db, { sealer, finish }),
    settle: prepareSettle(db, parts),
    confirm({ deliveryId, attempts, reason, wallMs }: Confirmation): boolean {
      const row = findOpen.get(deliveryId);
      if (row === undefined) return false;
      for (const attempt of attempts) recordAttempt(row.row_id, attempt);
      finish(row, { status: 'delivered', reason, wallMs, attempts: attempts.at(-1)?.number });
      return true;
    },
    renew({ deliveryId, expiresAtMs, usefulUntilMs, dueAtMs, wallMs }: Renewal): boolean {
      const { changes } = renewRow.run({
        id: deliveryId,
        expiresAtMs: wholeEndMs(expiresAtMs),
        usefulUntilMs: wholeEndMs(usefulUntilMs),
        dueAtMs: wholeMs(dueAtMs),
      });
      if (changes > 0) recordRenewal.run(wholeMs(wallMs), deliveryId);
      return changes > 0;
    },
    recordReply({ deliveryId, answeredAtMs }: ReplyRecord): void {
      recordReply.run(wholeMs(answeredAtMs), deliveryId);
    },
    finish,
    /** The phone got the push, which ends the delivery if it is open. */
    endByPhone(deliveryId: string, wallMs: number): boolean {
      const row = findOpen.get(deliveryId);
      if (row !== undefined) finish(row, { status: 'delivered', reason: 'receipt', wallMs });
      return row !== undefined;
    },
  };
}

function prepareSettle(db: Database.Database, { finish, recordAttempt, findOpen }: Parts) {
  const requeue = db.prepare(
    `UPDATE queue SET due_at_ms = @dueAtMs, not_before_ms = @notBeforeMs,
       tried_at_ms = coalesce(@triedAtMs, tried_at_ms), unanswered = unanswered + @unanswered,
       lease_owner = @leaseOwner, lease_until_ms = @leaseUntilMs
     WHERE row_id = @rowId`,
  );

  const count = db.prepare('UPDATE deliveries SET attempts = max(attempts, ?) WHERE row_id = ?');
  const tell = prepareTell(db);

  return function settle({ settlement, told }: SettlementWrite): boolean {
    const { deliveryId, owner, attempt, next, nowMs, wallMs, keepLeaseUntilMs } = settlement;
    const row = findOpen.get(deliveryId);
    if (row === undefined || row.lease_owner !== owner) return false;
    if (attempt !== undefined) recordAttempt(row.row_id, attempt);
    if (next.status !== 'queued') {
      const { keepKey } = settlement;
      finish(row, { ...next, wallMs, keepKey, attempts: attempt?.number, told });
      return true;
    }
    if (attempt !== undefined) count.run(attempt.number, row.row_id);
    if (told !== undefined) tell(told);
    // An attempt whose settlement is repeated, because its commit seemed to fail, counts once.
    const isNew = attempt !== undefined && attempt.number > row.attempts;
    requeue.run({
      rowId: row.row_id,
      dueAtMs: wholeMs(next.dueAtMs),
      notBeforeMs: next.notBeforeMs === undefined ? null : wholeMs(next.notBeforeMs),
      triedAtMs: attempt === undefined ? null : wholeMs(nowMs),
      unanswered: isNew && isUnanswered(attempt) ? 1 : 0,
      leaseOwner: keepLeaseUntilMs === undefined ? null : owner,
      leaseUntilMs: keepLeaseUntilMs === undefined ? null : wholeMs(keepLeaseUntilMs),
    });
    return true;
  };
}

function isUnanswered({ outcome }: Attempt): boolean {
  return outcome.kind === 'retry' && outcome.certainty === 'unanswered';
}

function prepareInsert(
  db: Database.Database,
  { sealer, finish }: { readonly sealer: Sealer; readonly finish: Finish },
) {
  const findDevice = db.prepare<[string]>('SELECT 1 FROM devices WHERE id = ?');
  const insertDelivery = db.prepare(
    `INSERT INTO deliveries (id, received_at_ms, status, app, platform, provider, type, device_id,
       token_hash, subject_hash, lifetime_ms, attempts, door, source, request_id, repeats)
     VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 0)`,
  );
  const insertQueued = db.prepare(
    `INSERT INTO queue (row_id, app, provider, device_id, sealed, due_at_ms, useful_until_ms,
       expires_at_ms, race, unanswered, interrupted, lease_owner, lease_until_ms, key_hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
  );
  const forgetRow = db.prepare(
    `UPDATE deliveries SET token_hash = '${FORGOTTEN_TOKEN}', subject_hash = NULL, device_id = NULL
     WHERE row_id = ?`,
  );
  const holdKey = db.prepare(
    'INSERT OR REPLACE INTO duplicate_keys (key_hash, delivery_id, expires_at_ms) VALUES (?, ?, ?)',
  );

  return function insert(accepted: AcceptedDelivery): void {
    const { delivery, owner, leaseUntilMs, duplicateKey } = accepted;
    const { id, target, provider, notification, deviceId = null, origin } = delivery;
    const { lifetimeMs } = notification;
    const { lastInsertRowid } = insertDelivery.run(
      id,
      wholeMs(delivery.receivedAtMs),
      target.app,
      target.platform,
      provider,
      notification.type,
      deviceId,
      fingerprint(delivery.tokenHash),
      maybeFingerprint(delivery.subjectHash),
      wholeMs(lifetimeMs),
      origin?.door ?? null,
      origin?.source ?? null,
      requestIdOf(delivery),
    );
    const rowId = Number(lastInsertRowid);
    const keyHash = maybeFingerprint(duplicateKey?.keyHash);
    insertQueued.run(
      rowId,
      target.app,
      provider,
      deviceId,
      sealDelivery(sealer, delivery),
      // Due as soon as the lease is over; receipt is wall time, which may be ahead of service time.
      wholeMs(Math.min(delivery.receivedAtMs, leaseUntilMs)),
      wholeEndMs(usefulUntilMs(delivery.expiresAtMs, lifetimeMs)),
      wholeEndMs(delivery.expiresAtMs),
      isRace(lifetimeMs) ? 1 : 0,
      delivery.unanswered,
      owner,
      wholeMs(leaseUntilMs),
      keyHash,
    );
    if (deviceId !== null && findDevice.get(deviceId) === undefined) {
      // The device was deleted since the core looked it up, perhaps to be forgotten: no trace of it may stay.
      const end = { status: 'rejected', reason: DEVICE_DELETED } as const;
      finish({ ...unfinished(delivery), row_id: rowId }, { ...end, wallMs: delivery.receivedAtMs });
      forgetRow.run(rowId);
    } else if (duplicateKey !== undefined) {
      holdKey.run(keyHash, id, wholeMs(duplicateKey.expiresAtMs));
    }
  };
}

function unfinished({ id, tokenHash }: { readonly id: string; readonly tokenHash: string }) {
  return { id, token_hash: tokenHash, key_hash: null };
}

/** Overwrites the row if the attempt is repeated because its commit seemed to fail, or if its late answer came. */
function prepareAttempt(db: Database.Database) {
  const insert = db.prepare(
    `INSERT OR REPLACE INTO attempts (row_id, number, started_at_ms, latency_ms, outcome, reason, message_id)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );

  return function recordAttempt(rowId: number, attempt: Attempt): void {
    const { number, startedAtMs, latencyMs, outcome } = attempt;
    const isDelivered = outcome.kind === 'delivered';
    insert.run(
      rowId,
      number,
      wholeMs(startedAtMs),
      wholeMs(latencyMs),
      outcome.kind,
      isDelivered ? null : outcome.reason,
      isDelivered ? (outcome.messageId ?? null) : null,
    );
  };
}

// Writing the life of a delivery: accepted, attempted, settled. The hot path, so plain prepared SQL.

import type Database from 'better-sqlite3';
import type { Attempt, Delivery, DeliveryStatus } from '../../core/delivery.ts';
import type { AcceptedDelivery, Settlement } from '../../core/store.ts';
import {
  codeOf,
  OUTCOMES,
  PLATFORMS,
  PROVIDERS,
  packFingerprint,
  packUuid,
  STATUSES,
  wholeMs,
} from './codec.ts';
import { sealContents } from './contents.ts';
import { prepareSightings } from './device-sightings.ts';
import { createMessageIds } from './message-ids.ts';
import type { Sealer } from './seal.ts';

export type DeliveryOperations = ReturnType<typeof prepareDeliveryOperations>;

/** The reason of a delivery whose device was deleted before it was delivered. */
export const DEVICE_DELETED = 'device_deleted';

/** An open delivery as `finish` needs it. */
export interface OpenRow {
  readonly rowId: number;
  readonly id: Buffer;
  readonly keyHash: Buffer | null;
}

type LeftRow = Pick<OpenRow, 'rowId' | 'keyHash'>;

interface End {
  readonly status: Exclude<DeliveryStatus, 'queued'>;
  readonly reason?: string;
  readonly nowMs: number;
}

export function prepareDeliveryOperations(db: Database.Database, sealer: Sealer) {
  const close = prepareClose(db);
  const recordAttempt = prepareAttempt(db);
  const noteSighting = prepareSightings(db);
  // Leaving the queue and changing the appointment each find the row and check its owner in the same statement.
  const held = 'row_id = (SELECT row_id FROM deliveries WHERE id = ?) AND lease_owner = ?';
  const leave = db.prepare<[Buffer, string], LeftRow>(
    `DELETE FROM queue WHERE ${held} RETURNING row_id AS rowId, key_hash AS keyHash`,
  );
  const requeue = db
    .prepare<[number, string | null, number | null, Buffer, string], number>(
      `UPDATE queue SET due_at_ms = ?, lease_owner = ?, lease_until_ms = ? WHERE ${held} RETURNING row_id`,
    )
    .pluck();

  function settle({ deliveryId, owner, attempt, next, ...rest }: Settlement): boolean {
    const id = packUuid(deliveryId);
    if (next.status !== 'queued') {
      const row = leave.get(id, owner);
      if (row === undefined) return false;
      const { rowId, keyHash } = row;
      if (attempt !== undefined) recordAttempt(rowId, attempt);
      close({ rowId, id, keyHash }, { ...next, nowMs: rest.nowMs });
      noteSighting({ rowId, status: next.status, nowMs: rest.nowMs });
      return true;
    }
    const { keepLeaseUntilMs } = rest;
    const [holder, untilMs] =
      keepLeaseUntilMs === undefined ? [null, null] : [owner, wholeMs(keepLeaseUntilMs)];
    const rowId = requeue.get(wholeMs(next.dueAtMs), holder, untilMs, id, owner);
    if (rowId === undefined) return false;
    if (attempt !== undefined) recordAttempt(rowId, attempt);
    return true;
  }

  const leaveQueue = db.prepare('DELETE FROM queue WHERE row_id = ?');
  /** Ends an open delivery, whoever holds it. */
  function finish(row: OpenRow, end: End): void {
    leaveQueue.run(row.rowId);
    close(row, end);
  }

  return { insert: prepareInsert(db, sealer, finish), settle, finish };
}

type EndRow = (row: OpenRow, end: End) => void;

function prepareInsert(db: Database.Database, sealer: Sealer, finish: EndRow) {
  const insertDelivery = db.prepare(
    `INSERT INTO deliveries (id, app, platform, provider, type, status, token_hash, subject_hash,
       received_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
  );
  const insertQueued = db.prepare(
    `INSERT INTO queue (row_id, app, provider, due_at_ms, lease_owner, lease_until_ms, lifetime_ms, key_hash,
       device_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const findDevice = db.prepare<[Buffer]>('SELECT 1 FROM devices WHERE id = ?');
  const insertSecret = db.prepare('INSERT INTO secrets (row_id, sealed) VALUES (?, ?)');
  const holdKey = db.prepare(
    `INSERT OR REPLACE INTO duplicate_keys (key_hash, delivery_id, expires_at_ms) VALUES (?, ?, ?)`,
  );

  return function insert({ delivery, owner, leaseUntilMs, duplicateKey }: AcceptedDelivery): void {
    const id = packUuid(delivery.id);
    const keyHash = duplicateKey ? packFingerprint(duplicateKey.keyHash) : null;
    const deviceId = delivery.deviceId === undefined ? null : packUuid(delivery.deviceId);
    const rowId = insertRow(id, delivery);
    insertQueued.run(
      rowId,
      delivery.target.app,
      codeOf(PROVIDERS, delivery.provider),
      // Due as soon as the lease is over; receipt is wall time, which may be ahead of service time.
      wholeMs(Math.min(delivery.receivedAtMs, leaseUntilMs)),
      owner,
      wholeMs(leaseUntilMs),
      wholeMs(delivery.notification.lifetimeMs),
      keyHash,
      deviceId,
    );
    insertSecret.run(rowId, sealContents(sealer, id, delivery));
    if (duplicateKey) holdKey.run(keyHash, id, wholeMs(duplicateKey.expiresAtMs));
    if (deviceId === null || findDevice.get(deviceId) !== undefined) return;
    // Deleted since the core looked it up: its token must not stay behind.
    const nowMs = delivery.receivedAtMs;
    finish({ rowId, id, keyHash }, { status: 'rejected', reason: DEVICE_DELETED, nowMs });
  };

  function insertRow(id: Buffer, delivery: Delivery): number {
    const { target, subjectHash } = delivery;
    const { lastInsertRowid } = insertDelivery.run(
      id,
      target.app,
      codeOf(PLATFORMS, target.platform),
      codeOf(PROVIDERS, delivery.provider),
      delivery.notification.type,
      packFingerprint(delivery.tokenHash),
      subjectHash === undefined ? null : packFingerprint(subjectHash),
      wholeMs(delivery.receivedAtMs),
      // Never later than it was: a fraction more would be an attempt after the useful life.
      Math.floor(delivery.expiresAtMs),
    );
    return Number(lastInsertRowid);
  }
}

/** A repeat of an attempt whose commit seemed to fail overwrites it. */
function prepareAttempt(db: Database.Database) {
  const messageIds = createMessageIds(db);
  const insertAttempt = db.prepare(
    `INSERT OR REPLACE INTO attempts (row_id, number, started_at_ms, latency_ms, outcome, reason,
       prefix_id, message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return function recordAttempt(rowId: number, { outcome, ...attempt }: Attempt): void {
    const { prefixId, messageId } = messageIds.pack(
      outcome.kind === 'delivered' ? outcome.messageId : undefined,
    );
    insertAttempt.run(
      rowId,
      attempt.number,
      wholeMs(attempt.startedAtMs),
      wholeMs(attempt.latencyMs),
      codeOf(OUTCOMES, outcome.kind),
      outcome.kind === 'delivered' ? null : outcome.reason,
      prefixId,
      messageId,
    );
  };
}

/** The end of a delivery that left the queue: erases what is secret, and releases its key unless it was delivered. */
function prepareClose(db: Database.Database): EndRow {
  const settleRow = db.prepare(
    'UPDATE deliveries SET status = ?, reason = ?, settled_at_ms = ?, expires_at_ms = NULL WHERE row_id = ?',
  );
  const eraseSecret = db.prepare('DELETE FROM secrets WHERE row_id = ?');
  const releaseKey = db.prepare(
    'DELETE FROM duplicate_keys WHERE key_hash = ? AND delivery_id = ?',
  );

  return function close({ rowId, id, keyHash }, { status, reason, nowMs }): void {
    settleRow.run(codeOf(STATUSES, status), reason ?? null, wholeMs(nowMs), rowId);
    eraseSecret.run(rowId);
    if (keyHash !== null && status !== 'delivered') releaseKey.run(keyHash, id);
  };
}

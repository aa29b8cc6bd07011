// The tables of what waits: deliveries that were not settled by their first try. Their rows in `deliveries` are
// `queued`, the appointment is in `queue`, what is secret in `secrets`.

import type Database from 'better-sqlite3';
import type { AcceptedDelivery } from '../../core/ports/store.ts';
import {
  codeOf,
  PLATFORMS,
  PROVIDERS,
  packFingerprint,
  packUuid,
  STATUSES,
  wholeMs,
} from './codec.ts';
import { sealContents } from './contents.ts';
import type { FinalStatus } from './packed.ts';
import type { Sealer } from './seal.ts';

/** An open delivery as `finish` needs it. */
export interface OpenRow {
  readonly rowId: number;
  readonly id: Buffer;
  readonly keyHash: Buffer | null;
}

export interface End {
  readonly status: FinalStatus;
  readonly reason: string | null;
  readonly nowMs: number;
}

type LeftRow = Pick<OpenRow, 'rowId' | 'keyHash'>;

export function prepareOpenRows(db: Database.Database, sealer: Sealer) {
  const close = prepareClose(db);
  // Leaving the queue and changing the appointment each find the row and check its owner in the same statement.
  const held = 'row_id = (SELECT row_id FROM deliveries WHERE id = ?) AND lease_owner = ?';
  const leaveHeld = db.prepare<[Buffer, string], LeftRow>(
    `DELETE FROM queue WHERE ${held} RETURNING row_id AS rowId, key_hash AS keyHash`,
  );
  const requeue = db
    .prepare<[number, string | null, number | null, Buffer, string], number>(
      `UPDATE queue SET due_at_ms = ?, lease_owner = ?, lease_until_ms = ? WHERE ${held} RETURNING row_id`,
    )
    .pluck();
  const leave = db.prepare('DELETE FROM queue WHERE row_id = ?');

  return {
    insert: prepareInsert(db, sealer),

    /** Ends a delivery that `owner` holds; nothing, and nothing written, if it does not. */
    endHeld(id: Buffer, owner: string, end: End): number | undefined {
      const row = leaveHeld.get(id, owner);
      if (row === undefined) return undefined;
      close({ id, ...row }, end);
      return row.rowId;
    },

    /** Gives a delivery that `owner` holds its next appointment; nothing if it does not hold it. */
    appoint(
      id: Buffer,
      owner: string,
      next: { readonly dueAtMs: number; readonly keepLeaseUntilMs: number | null },
    ): number | undefined {
      const { dueAtMs, keepLeaseUntilMs } = next;
      const [holder, untilMs] =
        keepLeaseUntilMs === null ? [null, null] : [owner, wholeMs(keepLeaseUntilMs)];
      return requeue.get(wholeMs(dueAtMs), holder, untilMs, id, owner);
    },

    /** Ends an open delivery, whoever holds it. */
    finish(row: OpenRow, end: End): void {
      leave.run(row.rowId);
      close(row, end);
    },
  };
}

function prepareInsert(db: Database.Database, sealer: Sealer) {
  const insertDelivery = db.prepare(
    `INSERT INTO deliveries (id, app, platform, provider, type, status, token_hash, subject_hash,
       received_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
  );
  const insertQueued = db.prepare(
    `INSERT INTO queue (row_id, app, provider, due_at_ms, lease_owner, lease_until_ms, lifetime_ms, key_hash,
       device_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertSecret = db.prepare('INSERT INTO secrets (row_id, sealed) VALUES (?, ?)');

  return function insert(accepted: AcceptedDelivery): OpenRow {
    const { delivery, owner, leaseUntilMs, duplicateKey } = accepted;
    const { target, notification, subjectHash, deviceId } = delivery;
    const id = packUuid(delivery.id);
    const keyHash = duplicateKey === undefined ? null : packFingerprint(duplicateKey.keyHash);
    const { lastInsertRowid } = insertDelivery.run(
      id,
      target.app,
      codeOf(PLATFORMS, target.platform),
      codeOf(PROVIDERS, delivery.provider),
      notification.type,
      packFingerprint(delivery.tokenHash),
      subjectHash === undefined ? null : packFingerprint(subjectHash),
      wholeMs(delivery.receivedAtMs),
      // Never later than it was: a fraction more would be an attempt after the useful life.
      Math.floor(delivery.expiresAtMs),
    );
    const rowId = Number(lastInsertRowid);
    insertQueued.run(
      rowId,
      target.app,
      codeOf(PROVIDERS, delivery.provider),
      // Due as soon as the lease is over; receipt is wall time, which may be ahead of service time.
      wholeMs(Math.min(delivery.receivedAtMs, leaseUntilMs)),
      owner,
      wholeMs(leaseUntilMs),
      wholeMs(notification.lifetimeMs),
      keyHash,
      deviceId === undefined ? null : packUuid(deviceId),
    );
    insertSecret.run(rowId, sealContents(sealer, id, delivery));
    return { rowId, id, keyHash };
  };
}

/** The end of a delivery that left the queue: erases what is secret, and releases its key unless it was delivered. */
function prepareClose(db: Database.Database) {
  const settleRow = db.prepare(
    'UPDATE deliveries SET status = ?, reason = ?, settled_at_ms = ?, expires_at_ms = NULL WHERE row_id = ?',
  );
  const eraseSecret = db.prepare('DELETE FROM secrets WHERE row_id = ?');
  const releaseKey = prepareKeyRelease(db);

  return function close({ rowId, id, keyHash }: OpenRow, { status, reason, nowMs }: End): void {
    settleRow.run(codeOf(STATUSES, status), reason, wholeMs(nowMs), rowId);
    eraseSecret.run(rowId);
    if (keyHash !== null && status !== 'delivered') releaseKey(keyHash, id);
  };
}

/** A repeat is a new try; unless another delivery holds the key by now. */
export function prepareKeyRelease(db: Database.Database) {
  const release = db.prepare('DELETE FROM duplicate_keys WHERE key_hash = ? AND delivery_id = ?');
  return (keyHash: Buffer, id: Buffer): void => {
    release.run(keyHash, id);
  };
}

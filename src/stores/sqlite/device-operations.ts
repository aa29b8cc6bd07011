// Writing devices: registered, changed, deleted, pruned; and the signatures that may be used once.

import type Database from 'better-sqlite3';
import type { AddedDevice, StoredDevice } from '../../core/ports/devices.ts';
import { packFingerprint, packUuid, tryPackUuid, wholeMs } from './codec.ts';
import { DEVICE_DELETED, type DeliveryOperations } from './delivery-operations.ts';
import {
  columnsOf,
  DEVICE_COLUMNS,
  type DeviceRow,
  openDevice,
  sealDevice,
} from './device-contents.ts';
import { prepareLookup } from './lookups.ts';
import type { OpenRow } from './open-rows.ts';
import type {
  DeviceAddition,
  DeviceDeletion,
  DevicePruning,
  PrunedDevices,
  SignatureUse,
} from './protocol.ts';
import type { Sealer } from './seal.ts';

type OpenDeliveries = Pick<DeliveryOperations, 'spill' | 'finish'>;
type ErasedRow = Pick<DeviceRow, 'rowId' | 'id' | 'tokenHash'>;

export function prepareDeviceOperations(
  db: Database.Database,
  sealer: Sealer,
  deliveries: OpenDeliveries,
) {
  const write = prepareWrite(db, sealer);
  const erase = prepareErase(db, deliveries);
  const isFull = prepareLimits(db);
  const findById = db.prepare<[Buffer], ErasedRow>(
    'SELECT row_id AS rowId, id, token_hash AS tokenHash FROM devices WHERE id = ?',
  );
  const findOfBackend = db.prepare<[Buffer], DeviceRow>(
    `SELECT ${DEVICE_COLUMNS} FROM devices d JOIN device_secrets s ON s.row_id = d.row_id
     WHERE d.identity_hash = ? AND d.registrar = 0`,
  );

  function add({ added, reuse, maxPerUser, maxDevices }: DeviceAddition): AddedDevice {
    const { device, hashes } = added;
    const known = reuse ? findOfBackend.get(packFingerprint(hashes.identityHash)) : undefined;
    if (known !== undefined) {
      const opened = openDevice(sealer, known);
      if (opened !== undefined) return { kind: 'known', device: opened };
      // What can no longer be decrypted gives its place to the device that registers again.
      erase(known, device.createdAtMs);
    }
    const full = isFull({ userHash: hashes.userHash, maxPerUser, maxDevices });
    if (full !== undefined) return { kind: full };
    write.insert(added);
    return { kind: 'added', device };
  }

  function replace(replaced: StoredDevice): boolean {
    const row = findById.get(packUuid(replaced.device.id));
    if (row === undefined) return false;
    if (replaced.device.registrar === 'backend') {
      const holder = findOfBackend.get(packFingerprint(replaced.hashes.identityHash));
      if (holder !== undefined && holder.rowId !== row.rowId) return false;
    }
    write.update(row.rowId, replaced);
    return true;
  }

  function remove({ id, nowMs }: DeviceDeletion): boolean {
    const packed = tryPackUuid(id);
    const row = packed && findById.get(packed);
    if (row === undefined) return false;
    erase(row, nowMs);
    return true;
  }

  return { add, replace, remove, prune: preparePrune(db, erase), useOnce: prepareUseOnce(db) };
}

/** Whether a device more is too many. The counts stay cheap however many there are. */
function prepareLimits(db: Database.Database) {
  const countOfUser = db
    .prepare<[Buffer, number], number>(
      'SELECT count(*) FROM (SELECT 1 FROM devices WHERE user_hash = ? LIMIT ?)',
    )
    .pluck();
  const countAll = db.prepare<[], number>('SELECT total FROM device_count').pluck();

  return function isFull(options: {
    readonly userHash: string | undefined;
    readonly maxPerUser: number;
    readonly maxDevices: number;
  }): 'too_many_of_user' | 'too_many' | undefined {
    const { userHash, maxPerUser, maxDevices } = options;
    if (userHash !== undefined) {
      const ofUser = countOfUser.get(packFingerprint(userHash), maxPerUser) ?? 0;
      if (ofUser >= maxPerUser) return 'too_many_of_user';
    }
    return (countAll.get() ?? 0) >= maxDevices ? 'too_many' : undefined;
  };
}

function prepareWrite(db: Database.Database, sealer: Sealer) {
  const insertRow = db.prepare(
    `INSERT INTO devices (id, app, platform, registrar, token_hash, user_hash, identity_hash,
       created_at_ms, seen_at_ms, dead_since_ms)
     VALUES (@id, @app, @platform, @registrar, @tokenHash, @userHash, @identityHash,
       @createdAtMs, @seenAtMs, @deadSinceMs)`,
  );
  const updateRow = db.prepare(
    `UPDATE devices SET app = @app, platform = @platform, registrar = @registrar,
       token_hash = @tokenHash, user_hash = @userHash, identity_hash = @identityHash,
       created_at_ms = @createdAtMs, seen_at_ms = @seenAtMs, dead_since_ms = @deadSinceMs
     WHERE id = @id`,
  );
  const putSecret = db.prepare(
    `INSERT INTO device_secrets (row_id, sealed) VALUES (?, ?)
     ON CONFLICT (row_id) DO UPDATE SET sealed = excluded.sealed`,
  );
  const insertHandle = db.prepare(
    'INSERT INTO handles (handle_hash, device_row_id, door) VALUES (?, ?, ?)',
  );
  const revokeHandles = db.prepare('DELETE FROM handles WHERE device_row_id = ?');

  function valuesOf({ device, hashes }: StoredDevice) {
    return {
      ...columnsOf(device),
      id: packUuid(device.id),
      tokenHash: packFingerprint(hashes.tokenHash),
      userHash: hashes.userHash === undefined ? null : packFingerprint(hashes.userHash),
      identityHash: packFingerprint(hashes.identityHash),
    };
  }

  function writeRest(rowId: number, { device, hashes }: StoredDevice): void {
    putSecret.run(rowId, sealDevice(sealer, packUuid(device.id), device));
    for (const [door, hash] of Object.entries(hashes.handleHashes)) {
      insertHandle.run(packFingerprint(hash), rowId, door);
    }
  }

  return {
    insert(added: StoredDevice): void {
      const { lastInsertRowid } = insertRow.run(valuesOf(added));
      writeRest(Number(lastInsertRowid), added);
    },
    update(rowId: number, replaced: StoredDevice): void {
      updateRow.run(valuesOf(replaced));
      revokeHandles.run(rowId);
      writeRest(rowId, replaced);
    },
  };
}

/**
 * Deletes a device, its handles with it, and ends the open deliveries that hold its token: its own in any
 * case, those that were addressed to the token itself unless another device has it.
 */
function prepareErase(db: Database.Database, { spill, finish }: OpenDeliveries) {
  const deleteRow = db.prepare<[number]>('DELETE FROM devices WHERE row_id = ?');
  const hasToken = db.prepare<[Buffer]>('SELECT 1 FROM devices WHERE token_hash = ? LIMIT 1');
  const findOwn = db.prepare<[Buffer], OpenRow>(
    `SELECT q.row_id AS rowId, d.id, q.key_hash AS keyHash
     FROM queue q JOIN deliveries d ON d.row_id = q.row_id WHERE q.device_id = ?`,
  );
  const rowsOf = prepareLookup(db);
  const findOldestOpen = db.prepare<[], number | null>('SELECT min(row_id) FROM queue').pluck();
  const findQueued = db.prepare<[number, Buffer], OpenRow>(
    `SELECT q.row_id AS rowId, d.id, q.key_hash AS keyHash
     FROM queue q JOIN deliveries d ON d.row_id = q.row_id WHERE q.row_id = ? AND d.token_hash = ?`,
  );

  return function erase({ rowId, id, tokenHash }: ErasedRow, nowMs: number): void {
    const end = { status: 'rejected', reason: DEVICE_DELETED, nowMs } as const;
    spill();
    deleteRow.run(rowId);
    for (const row of findOwn.all(id)) finish(row, end);
    if (hasToken.get(tokenHash) !== undefined) return;
    // A token has few deliveries in the log, and a backlog may be long. Older than the backlog, none is open.
    const oldestOpen = findOldestOpen.get();
    if (oldestOpen === undefined || oldestOpen === null) return;
    for (const found of [...rowsOf(tokenHash, oldestOpen)]) {
      const row = findQueued.get(found, tokenHash);
      if (row !== undefined) finish(row, end);
    }
  };
}

function preparePrune(db: Database.Database, erase: (row: ErasedRow, nowMs: number) => void) {
  const columns = 'row_id AS rowId, id, token_hash AS tokenHash';
  const findDead = db.prepare<[number, number], ErasedRow>(
    `SELECT ${columns} FROM devices WHERE dead_since_ms < ? ORDER BY dead_since_ms LIMIT ?`,
  );
  const findUnseen = db.prepare<[number, number], ErasedRow>(
    `SELECT ${columns} FROM devices WHERE seen_at_ms < ? ORDER BY seen_at_ms LIMIT ?`,
  );
  const deleteSignatures = db.prepare<[number, number]>(
    `DELETE FROM used_signatures WHERE key_hash IN (
       SELECT key_hash FROM used_signatures WHERE expires_at_ms <= ? LIMIT ?)`,
  );

  return function prune(options: DevicePruning): PrunedDevices {
    const { deadBeforeMs, unseenBeforeMs, nowMs, limit, signatureLimit } = options;
    const dead = findDead.all(deadBeforeMs, limit);
    for (const row of dead) erase(row, nowMs);
    const unseen = findUnseen.all(unseenBeforeMs, limit - dead.length);
    for (const row of unseen) erase(row, nowMs);
    const signatures = deleteSignatures.run(nowMs, signatureLimit).changes;
    return { dead: dead.length, unseen: unseen.length, signatures };
  };
}

/** One that ended counts as never used, whether it was pruned yet or not. */
function prepareUseOnce(db: Database.Database) {
  const use = db.prepare<{ keyHash: Buffer; expiresAtMs: number; nowMs: number }>(
    `INSERT INTO used_signatures (key_hash, expires_at_ms) VALUES (@keyHash, @expiresAtMs)
     ON CONFLICT (key_hash) DO UPDATE SET expires_at_ms = @expiresAtMs WHERE expires_at_ms <= @nowMs`,
  );
  return function useOnce({ keyHash, expiresAtMs, nowMs }: SignatureUse): boolean {
    const values = { keyHash: packFingerprint(keyHash), expiresAtMs: wholeMs(expiresAtMs), nowMs };
    return use.run(values).changes === 1;
  };
}

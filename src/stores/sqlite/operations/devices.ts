// Writing devices: registered, changed, deleted, pruned; and the signatures that may be used once.

import type Database from 'better-sqlite3';
import type { AddedDevice, Device, StoredDevice } from '../../../core/ports/devices.ts';
import { toDevice } from '../../devices.ts';
import { DEVICES, ERASED_DEVICES, OPEN_DELIVERIES, type RowOf } from '../../rows.ts';
import { sealDevice } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { DEVICE_DELETED, fingerprint, maybeFingerprint, wholeMs } from '../../values.ts';
import type {
  DeviceAddition,
  DeviceDeletion,
  DevicePruning,
  PrunedDevices,
  SignatureUse,
} from '../protocol.ts';
import type { Finish } from './finish.ts';

export type ErasedRow = RowOf<typeof ERASED_DEVICES>;
type DeviceRow = RowOf<typeof DEVICES>;

export function prepareDeviceOperations(db: Database.Database, sealer: Sealer, finish: Finish) {
  const count = prepareCount(db);
  const write = prepareWrite(db, sealer);
  const erase = prepareErase(db, { finish, count });
  const isFull = prepareLimits(db, count);
  const findById = db.prepare<[string], ErasedRow>(`${ERASED_DEVICES.sql} WHERE id = ?`);
  const findOfBackend = db.prepare<[string], DeviceRow>(
    `${DEVICES.sql} WHERE identity_hash = ? AND registrar = 'backend'`,
  );

  function add({ added, reuse, maxPerUser, maxDevices }: DeviceAddition): AddedDevice {
    const { device, hashes } = added;
    const known = reuse ? findOfBackend.get(hashes.identityHash) : undefined;
    if (known !== undefined) {
      const opened = toDevice(sealer, known);
      if (opened !== undefined) return { kind: 'known', device: opened };
      // A device that can no longer be decrypted is replaced when it registers again.
      erase(known, device.createdAtMs);
    }
    const full = isFull({ userHash: hashes.userHash, maxPerUser, maxDevices });
    if (full !== undefined) return { kind: full };
    write.insert(added);
    count.add(1);
    return { kind: 'added', device };
  }

  function replace(replaced: StoredDevice): boolean {
    const row = findById.get(replaced.device.id);
    if (row === undefined) return false;
    if (replaced.device.registrar === 'backend') {
      const holder = findOfBackend.get(replaced.hashes.identityHash);
      if (holder !== undefined && holder.row_id !== row.row_id) return false;
    }
    write.update(row.row_id, replaced);
    return true;
  }

  function remove({ id, wallMs }: DeviceDeletion): boolean {
    const row = findById.get(id);
    if (row === undefined) return false;
    erase(row, wallMs);
    return true;
  }

  return {
    add,
    replace,
    remove,
    prune: preparePrune(db, erase),
    useOnce: prepareUseOnce(db),
    erase,
    /** The transaction, or the last operation, was rolled back. */
    undone: count.forget,
  };
}

/**
 * How many devices there are: counted once and then kept in memory, since only this thread changes it and counting a
 * million rows at each registration takes too long.
 */
function prepareCount(db: Database.Database) {
  const countAll = db.prepare<[], number>('SELECT count(*) FROM devices').pluck();
  let known: number | undefined;
  return {
    total(): number {
      known ??= countAll.get() ?? 0;
      return known;
    },
    add(devices: number): void {
      if (known !== undefined) known += devices;
    },
    forget(): void {
      known = undefined;
    },
  };
}

type Count = ReturnType<typeof prepareCount>;

/** Whether one more device is too many. */
function prepareLimits(db: Database.Database, count: Count) {
  const countOfUser = db
    .prepare<[string, number], number>(
      'SELECT count(*) FROM (SELECT 1 FROM devices WHERE user_hash = ? LIMIT ?)',
    )
    .pluck();

  return function isFull(options: {
    readonly userHash: string | undefined;
    readonly maxPerUser: number;
    readonly maxDevices: number;
  }): 'too_many_of_user' | 'too_many' | undefined {
    const { userHash, maxPerUser, maxDevices } = options;
    if (userHash !== undefined) {
      const ofUser = countOfUser.get(userHash, maxPerUser) ?? 0;
      if (ofUser >= maxPerUser) return 'too_many_of_user';
    }
    return count.total() >= maxDevices ? 'too_many' : undefined;
  };
}

function prepareWrite(db: Database.Database, sealer: Sealer) {
  const insertRow = db.prepare(
    `INSERT INTO devices (id, app, platform, registrar, token_hash, user_hash, identity_hash,
       created_at_ms, seen_at_ms, dead_since_ms, sealed)
     VALUES (@id, @app, @platform, @registrar, @tokenHash, @userHash, @identityHash,
       @createdAtMs, @seenAtMs, @deadSinceMs, @sealed)`,
  );
  const updateRow = db.prepare(
    `UPDATE devices SET app = @app, platform = @platform, registrar = @registrar,
       token_hash = @tokenHash, user_hash = @userHash, identity_hash = @identityHash,
       created_at_ms = @createdAtMs, seen_at_ms = @seenAtMs, dead_since_ms = @deadSinceMs,
       sealed = @sealed
     WHERE id = @id`,
  );
  const insertHandle = db.prepare(
    'INSERT INTO handles (handle_hash, device_row_id, door) VALUES (?, ?, ?)',
  );
  const revokeHandles = db.prepare('DELETE FROM handles WHERE device_row_id = ?');

  function valuesOf({ device, hashes }: StoredDevice) {
    return {
      id: device.id,
      app: device.target.app,
      platform: device.target.platform,
      registrar: device.registrar,
      tokenHash: fingerprint(hashes.tokenHash),
      userHash: maybeFingerprint(hashes.userHash),
      identityHash: fingerprint(hashes.identityHash),
      ...timesOf(device),
      sealed: sealDevice(sealer, device),
    };
  }

  function writeHandles(rowId: number, { hashes }: StoredDevice): void {
    for (const [door, hash] of Object.entries(hashes.handleHashes)) {
      insertHandle.run(fingerprint(hash), rowId, door);
    }
  }

  return {
    insert(added: StoredDevice): void {
      const { lastInsertRowid } = insertRow.run(valuesOf(added));
      writeHandles(Number(lastInsertRowid), added);
    },
    update(rowId: number, replaced: StoredDevice): void {
      updateRow.run(valuesOf(replaced));
      revokeHandles.run(rowId);
      writeHandles(rowId, replaced);
    },
  };
}

function timesOf({ createdAtMs, seenAtMs, deadSinceMs }: Device) {
  return {
    createdAtMs: wholeMs(createdAtMs),
    seenAtMs: wholeMs(seenAtMs),
    deadSinceMs: deadSinceMs === undefined ? null : wholeMs(deadSinceMs),
  };
}

/**
 * Deletes a device, its handles with it, and ends the open deliveries that hold its token: its own in any
 * case, those that were addressed to the token itself unless another device has it.
 */
function prepareErase(
  db: Database.Database,
  { finish, count }: { readonly finish: Finish; readonly count: Count },
) {
  const deleteRow = db.prepare<[number]>('DELETE FROM devices WHERE row_id = ?');
  const hasToken = db.prepare<[string]>('SELECT 1 FROM devices WHERE token_hash = ? LIMIT 1');
  const findOwn = db.prepare<[string], RowOf<typeof OPEN_DELIVERIES>>(
    `${OPEN_DELIVERIES.sql} WHERE queue.device_id = ?`,
  );
  const findOfToken = db.prepare<[string], RowOf<typeof OPEN_DELIVERIES>>(
    `${OPEN_DELIVERIES.sql} WHERE token_hash = ?`,
  );

  return function erase({ row_id, id, token_hash }: ErasedRow, wallMs: number): void {
    const end = { status: 'rejected', reason: DEVICE_DELETED, wallMs } as const;
    deleteRow.run(row_id);
    count.add(-1);
    for (const row of findOwn.all(id)) finish(row, end);
    if (hasToken.get(token_hash) !== undefined) return;
    for (const row of findOfToken.all(token_hash)) finish(row, end);
  };
}

function preparePrune(db: Database.Database, erase: (row: ErasedRow, wallMs: number) => void) {
  const findDead = db.prepare<[number, number], ErasedRow>(
    `${ERASED_DEVICES.sql} WHERE dead_since_ms < ? ORDER BY dead_since_ms LIMIT ?`,
  );
  const findUnseen = db.prepare<[number, number], ErasedRow>(
    `${ERASED_DEVICES.sql} WHERE seen_at_ms < ? ORDER BY seen_at_ms LIMIT ?`,
  );
  const deleteSignatures = db.prepare<[number, number]>(
    `DELETE FROM used_signatures WHERE key_hash IN (
       SELECT key_hash FROM used_signatures WHERE expires_at_ms <= ? LIMIT ?)`,
  );

  return function prune(options: DevicePruning): PrunedDevices {
    const { deadBeforeMs, unseenBeforeMs, nowMs, wallMs, limit, signatureLimit } = options;
    const dead = findDead.all(deadBeforeMs, limit);
    for (const row of dead) erase(row, wallMs);
    const unseen = findUnseen.all(unseenBeforeMs, limit - dead.length);
    for (const row of unseen) erase(row, wallMs);
    const signatures = deleteSignatures.run(nowMs, signatureLimit).changes;
    return { dead: dead.length, unseen: unseen.length, signatures };
  };
}

/** An expired signature counts as never used, whether or not it was pruned yet. */
function prepareUseOnce(db: Database.Database) {
  const use = db.prepare<{ keyHash: string; expiresAtMs: number; nowMs: number }>(
    `INSERT INTO used_signatures (key_hash, expires_at_ms) VALUES (@keyHash, @expiresAtMs)
     ON CONFLICT (key_hash) DO UPDATE SET expires_at_ms = @expiresAtMs WHERE expires_at_ms <= @nowMs`,
  );
  return function useOnce({ keyHash, expiresAtMs, nowMs }: SignatureUse): boolean {
    const values = { keyHash: fingerprint(keyHash), expiresAtMs: wholeMs(expiresAtMs), nowMs };
    return use.run(values).changes === 1;
  };
}

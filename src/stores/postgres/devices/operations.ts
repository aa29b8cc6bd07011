// Writing devices: registered, changed, deleted, pruned; and the signatures that may be used once. A transaction that
// changes the number or the owner of devices takes their count first, so that limits are exact across machines.

import type { AddedDevice, DeviceStore, StoredDevice } from '../../../core/ports/devices.ts';
import { toDevice } from '../../devices.ts';
import { DEVICE_IDS, DEVICES, ERASED_DEVICES, OPEN_DELIVERIES, type RowOf } from '../../rows.ts';
import { sealDevice } from '../../sealing/content.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { DEVICE_DELETED, fingerprint, maybeFingerprint } from '../../values.ts';
import { putCount, takeCount } from '../counts.ts';
import type { Run } from '../database.ts';
import { finishOpen, OPEN_IN_ORDER } from '../operations/finish-open.ts';
import { change, select } from '../statements.ts';
import { maybeWall, type Times, wall } from '../times.ts';

export type ErasedRow = RowOf<typeof ERASED_DEVICES>;
type Input<Name extends keyof DeviceStore> = Parameters<DeviceStore[Name]>[0];

export function createDeviceOperations(sealer: Sealer) {
  async function add(run: Run, options: Input<'addDevice'>): Promise<AddedDevice> {
    const { added, reuse, maxPerUser, maxDevices } = options;
    const { device, hashes } = added;
    let devices = await takeCount(run, 'devices');
    const known = reuse ? await findOfBackend(run, hashes.identityHash) : undefined;
    if (known !== undefined) {
      const opened = toDevice(sealer, known);
      if (opened !== undefined) return { kind: 'known', device: opened };
      // A device that can no longer be decrypted is replaced when it registers again.
      await eraseDevices(run, [known], device.createdAtMs);
      devices -= 1;
    }
    if (await hasTooMany(run, hashes.userHash, maxPerUser)) return { kind: 'too_many_of_user' };
    if (devices >= maxDevices) return { kind: 'too_many' };
    await insert(run, added);
    await putCount(run, 'devices', devices + 1);
    return { kind: 'added', device };
  }

  async function insert(run: Run, added: StoredDevice): Promise<void> {
    await change(
      run,
      `INSERT INTO devices (id, app, platform, registrar, token_hash, user_hash, identity_hash,
         created_at, seen_at, dead_since, sealed)
       VALUES (@id, @app, @platform, @registrar, @tokenHash, @userHash, @identityHash,
         @createdAt, @seenAt, @deadSince, @sealed)`,
      valuesOf(sealer, added),
    );
    await putHandles(run, added);
  }

  async function replace(run: Run, replaced: StoredDevice): Promise<boolean> {
    const { device, hashes } = replaced;
    await takeCount(run, 'devices');
    const [row] = await select(run, ERASED_DEVICES, 'WHERE id = @id', { id: device.id });
    if (row === undefined) return false;
    if (device.registrar === 'backend') {
      const holder = await findOfBackend(run, hashes.identityHash);
      if (holder !== undefined && holder.row_id !== row.row_id) return false;
    }
    await change(
      run,
      `UPDATE devices SET app = @app, platform = @platform, registrar = @registrar,
         token_hash = @tokenHash, user_hash = @userHash, identity_hash = @identityHash,
         created_at = @createdAt, seen_at = @seenAt, dead_since = @deadSince, sealed = @sealed
       WHERE id = @id`,
      valuesOf(sealer, replaced),
    );
    const { row_id: rowId } = row;
    await change(run, 'DELETE FROM handles WHERE device_row_id = @rowId', { rowId });
    await putHandles(run, replaced);
    return true;
  }

  async function remove(run: Run, { id, wallMs }: Input<'deleteDevice'>): Promise<boolean> {
    await takeCount(run, 'devices');
    const found = await select(run, ERASED_DEVICES, 'WHERE id = @id', { id });
    await eraseDevices(run, found, wallMs);
    return found.length > 0;
  }

  /** Up to `limit`, at once. */
  async function prune(run: Run, options: Omit<Input<'pruneDevices'>, 'nowMs'>) {
    const { deadBeforeMs, unseenBeforeMs, wallMs, limit } = options;
    await takeCount(run, 'devices');
    const dead = await select(
      run,
      ERASED_DEVICES,
      'WHERE dead_since < @before ORDER BY dead_since LIMIT @limit',
      { before: wall(deadBeforeMs), limit },
    );
    const unseen = await select(
      run,
      ERASED_DEVICES,
      `WHERE seen_at < @before AND NOT row_id = ANY(@dead) ORDER BY seen_at LIMIT @limit`,
      {
        before: wall(unseenBeforeMs),
        dead: dead.map(({ row_id }) => row_id),
        limit: limit - dead.length,
      },
    );
    await eraseDevices(run, [...dead, ...unseen], wallMs);
    return { dead: dead.length, unseen: unseen.length };
  }

  return { add, replace, remove, prune };
}

async function findOfBackend(run: Run, identityHash: string) {
  const condition = "WHERE identity_hash = @identityHash AND registrar = 'backend'";
  const [row] = await select(run, DEVICES, condition, { identityHash });
  return row;
}

async function hasTooMany(
  run: Run,
  userHash: string | undefined,
  maxPerUser: number,
): Promise<boolean> {
  if (userHash === undefined) return false;
  const condition = 'WHERE user_hash = @userHash LIMIT @maxPerUser';
  const found = await select(run, DEVICE_IDS, condition, { userHash, maxPerUser });
  return found.length >= maxPerUser;
}

function valuesOf(sealer: Sealer, { device, hashes }: StoredDevice) {
  const { id, target, registrar, createdAtMs, seenAtMs, deadSinceMs } = device;
  return {
    id,
    app: target.app,
    platform: target.platform,
    registrar,
    tokenHash: fingerprint(hashes.tokenHash),
    userHash: maybeFingerprint(hashes.userHash),
    identityHash: fingerprint(hashes.identityHash),
    createdAt: wall(createdAtMs),
    seenAt: wall(seenAtMs),
    deadSince: maybeWall(deadSinceMs),
    sealed: sealDevice(sealer, device),
  };
}

async function putHandles(run: Run, { device, hashes }: StoredDevice): Promise<void> {
  const handles = Object.entries(hashes.handleHashes);
  await change(
    run,
    `INSERT INTO handles (handle_hash, device_row_id, door)
     SELECT handle_hash, devices.row_id, door
     FROM unnest(@hashes::text[], @doors::text[]) AS made (handle_hash, door), devices
     WHERE devices.id = @id`,
    {
      hashes: handles.map(([, hash]) => fingerprint(hash)),
      doors: handles.map(([door]) => door),
      id: device.id,
    },
  );
}

/**
 * Deletes devices and ends their open deliveries: their own in any case, those that were addressed to the token itself
 * unless another device has it.
 */
export async function eraseDevices(
  run: Run,
  rows: readonly ErasedRow[],
  wallMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const devices = await takeCount(run, 'devices');
  const rowIds = rows.map(({ row_id }) => row_id);
  const ids = rows.map(({ id }) => id);
  const tokenHashes = rows.map(({ token_hash }) => token_hash);
  const findOpen = async () => [
    ...(await select(run, OPEN_DELIVERIES, `WHERE queue.device_id = ANY(@ids) ${OPEN_IN_ORDER}`, {
      ids,
    })),
    ...(await select(
      run,
      OPEN_DELIVERIES,
      `WHERE token_hash = ANY(@tokenHashes) AND NOT EXISTS (
         SELECT FROM devices d WHERE d.token_hash = deliveries.token_hash AND NOT d.row_id = ANY(@rowIds))
       ${OPEN_IN_ORDER}`,
      { tokenHashes, rowIds },
    )),
  ];
  // Deliveries are locked before devices, as at their ends. Deliveries that are accepted in between are found by the
  // second query.
  await findOpen();
  await change(run, 'DELETE FROM devices WHERE row_id = ANY(@rowIds)', { rowIds });
  await putCount(run, 'devices', devices - rows.length);
  await finishOpen(run, await findOpen(), { status: 'rejected', reason: DEVICE_DELETED, wallMs });
}

/** An expired signature counts as never used, whether or not it was pruned yet. */
export async function useOnce(
  run: Run,
  { keyHash, expiresAtMs, nowMs }: Input<'useOnce'>,
  times: Times,
): Promise<boolean> {
  const used = await change(
    run,
    `INSERT INTO used_signatures (key_hash, expires_at) VALUES (@keyHash, @expiresAt)
     ON CONFLICT (key_hash) DO UPDATE SET expires_at = excluded.expires_at
       WHERE used_signatures.expires_at <= @now`,
    { keyHash: fingerprint(keyHash), expiresAt: times.at(expiresAtMs), now: times.at(nowMs) },
  );
  return used === 1;
}

export function pruneSignatures(
  run: Run,
  { nowMs, limit }: { readonly nowMs: number; readonly limit: number },
  times: Times,
): Promise<number> {
  return change(
    run,
    `DELETE FROM used_signatures WHERE key_hash IN (
       SELECT key_hash FROM used_signatures WHERE expires_at <= @now LIMIT @limit FOR UPDATE SKIP LOCKED)`,
    { now: times.at(nowMs), limit },
  );
}

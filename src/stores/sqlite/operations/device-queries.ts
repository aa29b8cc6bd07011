// Looking up devices. By handle it happens before a push: one statement, two rows by their keys.

import type Database from 'better-sqlite3';
import type { Device } from '../../../core/ports/devices.ts';
import { toDevice } from '../../devices.ts';
import { DEVICES, DEVICES_OF_HANDLES, type RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { DevicesOfUserQuery } from '../protocol.ts';

type DeviceRow = RowOf<typeof DEVICES>;

export function prepareDeviceQueries(db: Database.Database, sealer: Sealer) {
  const byId = db.prepare<[string], DeviceRow>(`${DEVICES.sql} WHERE id = ?`);
  const byHandle = db.prepare<[string], DeviceRow>(
    `${DEVICES_OF_HANDLES.sql} WHERE handle_hash = ?`,
  );
  const byUser = db.prepare<[string, number], DeviceRow>(
    `${DEVICES.sql} WHERE user_hash = ? ORDER BY row_id DESC LIMIT ?`,
  );
  const open = (row: DeviceRow | undefined) => row && toDevice(sealer, row);

  return {
    find: (id: string): Device | undefined => open(byId.get(id)),
    findByHandle: (handleHash: string): Device | undefined => open(byHandle.get(handleHash)),
    findByUser: ({ userHash, limit }: DevicesOfUserQuery): readonly Device[] =>
      byUser.all(userHash, limit).flatMap((row) => open(row) ?? []),
  };
}

// Looking up devices. By handle it stands before every push: one statement, three rows by their keys.

import type Database from 'better-sqlite3';
import type { Device } from '../../core/ports/devices.ts';
import { tryPackFingerprint, tryPackUuid } from './codec.ts';
import { DEVICE_COLUMNS, type DeviceRow, openDevice } from './device-contents.ts';
import type { DevicesOfUserQuery } from './protocol.ts';
import type { Sealer } from './seal.ts';

export function prepareDeviceQueries(db: Database.Database, sealer: Sealer) {
  const byId = db.prepare<[Buffer], DeviceRow>(
    `SELECT ${DEVICE_COLUMNS} FROM devices d JOIN device_secrets s ON s.row_id = d.row_id
     WHERE d.id = ?`,
  );
  const byHandle = db.prepare<[Buffer], DeviceRow>(
    `SELECT ${DEVICE_COLUMNS} FROM handles h JOIN devices d ON d.row_id = h.device_row_id
       JOIN device_secrets s ON s.row_id = d.row_id
     WHERE h.handle_hash = ?`,
  );
  const byUser = db.prepare<[Buffer, number], DeviceRow>(
    `SELECT ${DEVICE_COLUMNS} FROM devices d JOIN device_secrets s ON s.row_id = d.row_id
     WHERE d.user_hash = ? ORDER BY d.row_id DESC LIMIT ?`,
  );

  return {
    find(id: string): Device | undefined {
      const packed = tryPackUuid(id);
      const row = packed && byId.get(packed);
      return row && openDevice(sealer, row);
    },
    findByHandle(handleHash: string): Device | undefined {
      const packed = tryPackFingerprint(handleHash);
      const row = packed && byHandle.get(packed);
      return row && openDevice(sealer, row);
    },
    findByUser({ userHash, limit }: DevicesOfUserQuery): readonly Device[] {
      const packed = tryPackFingerprint(userHash);
      const rows = packed === undefined ? [] : byUser.all(packed, limit);
      return rows.flatMap((row) => openDevice(sealer, row) ?? []);
    },
  };
}

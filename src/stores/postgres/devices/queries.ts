// Looking up devices. By handle it happens before a push: one statement, two rows by their keys.

import type { Device, DeviceStore } from '../../../core/ports/devices.ts';
import { toDevice } from '../../devices.ts';
import { DEVICES, DEVICES_OF_HANDLES } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Run } from '../database.ts';
import { select } from '../statements.ts';

type DevicesOfUser = Parameters<DeviceStore['findDevicesByUser']>[0];

export function createDeviceQueries(sealer: Sealer) {
  return {
    async find(run: Run, id: string): Promise<Device | undefined> {
      const [row] = await select(run, DEVICES, 'WHERE id = @id', { id });
      return row && toDevice(sealer, row);
    },
    async findByHandle(run: Run, handleHash: string): Promise<Device | undefined> {
      const [row] = await select(run, DEVICES_OF_HANDLES, 'WHERE handle_hash = @handleHash', {
        handleHash,
      });
      return row && toDevice(sealer, row);
    },
    async findByUser(run: Run, { userHash, limit }: DevicesOfUser): Promise<readonly Device[]> {
      const condition = 'WHERE user_hash = @userHash ORDER BY row_id DESC LIMIT @limit';
      const rows = await select(run, DEVICES, condition, { userHash, limit });
      return rows.flatMap((row) => toDevice(sealer, row) ?? []);
    },
  };
}

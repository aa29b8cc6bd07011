// Devices as they are read.

import type { Device } from '../core/ports/devices.ts';
import type { DEVICES, RowOf } from './rows.ts';
import { openDeviceContent } from './sealing/content.ts';
import type { Sealer } from './sealing/seal.ts';
import { nameOf, optional, REGISTRARS, toTarget } from './values.ts';

/** Undefined if it cannot be decrypted: the device then counts as missing. */
export function toDevice(sealer: Sealer, row: RowOf<typeof DEVICES>): Device | undefined {
  const content = openDeviceContent(sealer, row);
  if (content === undefined) return undefined;
  const { token: _, appData: __, ...details } = content;
  return {
    id: row.id,
    registrar: nameOf(REGISTRARS, row.registrar),
    target: toTarget(row, content),
    ...details,
    createdAtMs: row.created_at_ms,
    seenAtMs: row.seen_at_ms,
    ...optional('deadSinceMs', row.dead_since_ms),
  };
}

// A device between the domain and its row: token, app_data, user, locale, node ids, secrets and handles are
// sealed as one value, the rest are columns.

import type { Device } from '../../core/ports/devices.ts';
import { codeOf, nameOf, PLATFORMS, REGISTRARS, unpackUuid, wholeMs } from './codec.ts';
import type { Sealer } from './seal.ts';

export interface DeviceRow {
  readonly rowId: number;
  readonly id: Buffer;
  readonly app: string;
  readonly platform: number;
  readonly registrar: number;
  readonly tokenHash: Buffer;
  readonly createdAtMs: number;
  readonly seenAtMs: number;
  readonly deadSinceMs: number | null;
  readonly sealed: Buffer;
}

/** What `DeviceRow` is read from: `devices` has to be in the query as `d`, `device_secrets` as `s`. */
export const DEVICE_COLUMNS = `d.row_id AS rowId, d.id, d.app, d.platform, d.registrar,
  d.token_hash AS tokenHash, d.created_at_ms AS createdAtMs, d.seen_at_ms AS seenAtMs,
  d.dead_since_ms AS deadSinceMs, s.sealed`;

interface Contents extends Pick<Device, 'user' | 'locale' | 'nodeIds' | 'secrets' | 'handles'> {
  readonly token: string;
  readonly appData?: string;
}

/** What of a device is written in columns of its own, beside its hashes. */
export function columnsOf(device: Device) {
  const { target, registrar, createdAtMs, seenAtMs, deadSinceMs } = device;
  return {
    app: target.app,
    platform: codeOf(PLATFORMS, target.platform),
    registrar: codeOf(REGISTRARS, registrar),
    createdAtMs: wholeMs(createdAtMs),
    seenAtMs: wholeMs(seenAtMs),
    deadSinceMs: deadSinceMs === undefined ? null : wholeMs(deadSinceMs),
  };
}

export function sealDevice(sealer: Sealer, id: Buffer, device: Device): Buffer {
  const { target, user, locale, nodeIds, secrets, handles } = device;
  const contents: Contents = {
    token: target.token,
    ...(target.appData === undefined ? {} : { appData: target.appData }),
    ...(user === undefined ? {} : { user }),
    ...(locale === undefined ? {} : { locale }),
    nodeIds,
    secrets,
    handles,
  };
  return sealer.seal(Buffer.from(JSON.stringify(contents)), deviceContextOf(id));
}

/** Nothing if it cannot be decrypted: it is as if the device were not there. */
export function openDevice(sealer: Sealer, row: DeviceRow): Device | undefined {
  const plain = sealer.open(row.sealed, deviceContextOf(row.id));
  if (plain === undefined) return undefined;
  // The tag vouches for the form: what can be opened is what `sealDevice` wrote.
  const { token, appData, ...contents }: Contents = JSON.parse(plain.toString());
  return {
    id: unpackUuid(row.id),
    registrar: nameOf(REGISTRARS, row.registrar),
    target: {
      app: row.app,
      platform: nameOf(PLATFORMS, row.platform),
      token,
      ...(appData === undefined ? {} : { appData }),
    },
    ...contents,
    createdAtMs: row.createdAtMs,
    seenAtMs: row.seenAtMs,
    ...(row.deadSinceMs === null ? {} : { deadSinceMs: row.deadSinceMs }),
  };
}

/** Opens as the contents of this device only, and never as those of a delivery. */
export function deviceContextOf(id: Buffer): string {
  return `device ${id.toString('hex')}`;
}

// Devices that the tests of a DeviceStore use.

import type {
  AddedDevice,
  DeviceStore,
  Registrar,
  StoredDevice,
} from '../../src/core/ports/devices.ts';
import type { Store } from '../../src/core/ports/store.ts';
import { NOW, sampleFingerprint } from './store-samples.ts';

/** Both ports, opened on the same empty database. */
export interface Stores {
  readonly store: Store;
  readonly devices: DeviceStore;
}

export type SetupStores = () => Promise<Stores>;

export const DOORS = ['notify', 'lsps5', 'spark_ssp'];

/** UUID version 7, in the order of `number`; no delivery has such an id. */
export function sampleDeviceId(number: number): string {
  return `01986476-4c00-7000-9000-${number.toString(16).padStart(12, '0')}`;
}

export interface DeviceChanges {
  /** Number of the `sampleDelivery` whose token it has; its own number by default. */
  readonly token?: number;
  readonly user?: string;
  readonly registrar?: Registrar;
  readonly locale?: string;
  readonly doors?: readonly string[];
  readonly seenAtMs?: number;
  readonly deadSinceMs?: number;
}

export function sampleDevice(number: number, changes: DeviceChanges = {}): StoredDevice {
  const { token = number, user, locale, registrar = 'backend', doors = DOORS } = changes;
  const { seenAtMs = NOW, deadSinceMs } = changes;
  const handles = doors.map((door) => [door, sampleFingerprint(`${door} handle ${number}`)]);
  return {
    device: {
      id: sampleDeviceId(number),
      registrar,
      target: {
        app: 'default',
        platform: 'android',
        token: `fcm-token-${token}:APA91bH`,
        appData: '{"network":"bitcoin"}',
      },
      ...(user === undefined ? {} : { user }),
      ...(locale === undefined ? {} : { locale }),
      nodeIds: [`02${'ab'.repeat(32)}`],
      secrets: { spark_ssp: [`secret ${number}`, 'an older one'] },
      handles: Object.fromEntries(handles),
      createdAtMs: NOW,
      registeredAtMs: NOW,
      seenAtMs,
      ...(deadSinceMs === undefined ? {} : { deadSinceMs }),
    },
    hashes: {
      tokenHash: sampleFingerprint(`token ${token}`),
      ...(user === undefined ? {} : { userHash: sampleFingerprint(`user ${user}`) }),
      identityHash: sampleFingerprint(`identity ${token} ${user ?? ''}`),
      handleHashes: Object.fromEntries(doors.map((door) => [door, handleHash(number, door)])),
    },
  };
}

export function handleHash(number: number, door: string): string {
  return sampleFingerprint(`${door} handle ${number} hashed`);
}

export function userHash(user: string): string {
  return sampleFingerprint(`user ${user}`);
}

/** Registers as the backend does, unless changed, with limits that are never reached. */
export function add(
  devices: DeviceStore,
  added: StoredDevice,
  options: { reuse?: boolean; maxPerUser?: number; maxDevices?: number } = {},
): Promise<AddedDevice> {
  return devices.addDevice({
    added,
    reuse: true,
    maxPerUser: 1_000,
    maxDevices: 1_000_000,
    ...options,
  });
}

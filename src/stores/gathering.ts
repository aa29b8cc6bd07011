// What else to look up after the first findings of a question: pure steps between the reads.

import type { Device } from '../core/ports/devices.ts';
import type { LoggedDevice, LogKey } from '../core/ports/log.ts';
import type { LoggedDelivery } from '../core/ports/store.ts';

export const MAX_GATHERED_ROWS = 1_000;
/** A question names a device, or a user's few devices; a short beginning of an id may match thousands. */
export const MAX_GATHERED_DEVICES = 20;

/** Outages and gaps are few: one row for each time that a provider was down or the process was stopped. */
export const MAX_PERIODS = 1_000;
/** Reading the body and checking the signature takes at most this long. */
export const LONGEST_REQUEST_MS = 30_000;
export const MAX_COUNTED = 20;

export interface FoundDevice {
  readonly device: Device;
  readonly tokenHash: string;
}

/**
 * When the calls with these request ids came, which ids of version 7 show. A row of refusals has only the id of its
 * first call.
 */
export function timesOf(keys: readonly LogKey[]): readonly number[] {
  const dated = keys.filter(
    ({ kind, value, isWhole }) => kind === 'request' && isWhole && value.charAt(14) === '7',
  );
  return dated.map(({ value }) => Number.parseInt(value.slice(0, 13).replace('-', ''), 16));
}

export function keysOfDevice({ device, tokenHash }: FoundDevice): readonly LogKey[] {
  return [
    { kind: 'device', value: device.id, isWhole: true },
    { kind: 'token', value: tokenHash, isWhole: true },
  ];
}

export function deviceKeyOf({ deviceId }: LoggedDelivery): readonly LogKey[] {
  return deviceId === undefined ? [] : [{ kind: 'device', value: deviceId, isWhole: true }];
}

export function uniqueDevices(devices: readonly FoundDevice[]): readonly FoundDevice[] {
  return [...new Map(devices.map((found) => [found.device.id, found])).values()];
}

/** Calls that repeated it. */
export function keysOfDelivery({ id }: LoggedDelivery): readonly LogKey[] {
  return [{ kind: 'delivery', value: id, isWhole: true }];
}

export function tokenHashesOf(
  keys: readonly LogKey[],
  deliveries: readonly LoggedDelivery[],
): readonly string[] {
  const ofKeys = keys.filter(({ kind, isWhole }) => kind === 'token' && isWhole);
  const hashes = [...ofKeys.map(({ value }) => value), ...deliveries.map((one) => one.tokenHash)];
  return [...new Set(hashes)];
}

export function toLoggedDevice({ device }: FoundDevice): LoggedDevice {
  const { id, target, registrar, user, createdAtMs, seenAtMs, deadSinceMs } = device;
  const { app, platform } = target;
  return { id, app, platform, registrar, user, createdAtMs, seenAtMs, deadSinceMs };
}

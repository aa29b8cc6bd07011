// Values on their way between the tables and the domain: numbers are checked before they are written, names when they
// are read.

import type { Registrar } from '../core/ports/devices.ts';
import type { QuarantineEntry } from '../core/ports/store.ts';
import type { Platform, ProviderName, Target } from '../core/target.ts';

export const PLATFORMS = ['ios', 'android'] as const satisfies readonly Platform[];
export const PROVIDERS = ['apns', 'apns_sandbox', 'fcm'] as const satisfies readonly ProviderName[];
export const REGISTRARS = ['backend', 'app', 'self'] as const satisfies readonly Registrar[];
export const QUARANTINE_KINDS = [
  'unregistered',
  'bad_token',
  'throttled',
] as const satisfies readonly QuarantineEntry['kind'][];

/** The reason of a delivery whose device was deleted before it was delivered. */
export const DEVICE_DELETED = 'device_deleted';

/** Jitter may give fractions. Throws a RangeError for a value that is not a time or duration. */
export function wholeMs(ms: number): number {
  return checked(Math.round(ms));
}

/**
 * For ends: rounds so that it is never later, since even a fraction more could allow an attempt after the useful life.
 */
export function wholeEndMs(ms: number): number {
  return checked(Math.floor(ms));
}

function checked(ms: number): number {
  if (!Number.isSafeInteger(ms)) throw new RangeError(`${ms} is no number of milliseconds`);
  return ms;
}

/** 128 bits as lower-case hex. Throws a TypeError for anything else. */
export function fingerprint(value: string): string {
  if (!/^[0-9a-f]{32}$/.test(value)) throw new TypeError('a fingerprint must have 32 hex digits');
  return value;
}

export function maybeFingerprint(value: string | undefined): string | null {
  return value === undefined ? null : fingerprint(value);
}

/** A name that this version knows. Throws a RangeError for a row that another version wrote. */
export function nameOf<Name extends string>(names: readonly Name[], text: string): Name {
  const name = names.find((known) => known === text);
  if (name === undefined) throw new RangeError(`"${text}" is none of ${names.join(', ')}`);
  return name;
}

/** A column that may be NULL as an optional field: an empty object, or the field. */
export function optional<Name extends string, Value>(
  name: Name,
  value: Value | null | undefined,
): Partial<Record<Name, Value>> {
  return value === null || value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
}

/** The target, from the columns of a row and its decrypted content. */
export function toTarget(
  { app, platform }: { readonly app: string; readonly platform: string },
  { token, appData, environment }: Pick<Target, 'token' | 'appData' | 'environment'>,
): Target {
  return {
    app,
    platform: nameOf(PLATFORMS, platform),
    token,
    ...optional('appData', appData),
    ...optional('environment', environment),
  };
}

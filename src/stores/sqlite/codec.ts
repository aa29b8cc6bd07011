// How values are written small: ids and fingerprints as 16 bytes, names of fixed sets as small integers,
// times as whole milliseconds. Every `pack` has an `unpack` that gives back exactly what went in.

import type { DeliveryStatus } from '../../core/delivery.ts';
import type { OutcomeKind } from '../../core/outcome.ts';
import type { Registrar } from '../../core/ports/devices.ts';
import type { QuarantineEntry } from '../../core/ports/store.ts';
import type { Platform, ProviderName } from '../../core/target.ts';

// The position in a list is what the file holds: append, never reorder. 0 and 1 take no space in a row.
export const STATUSES: readonly DeliveryStatus[] = [
  'queued',
  'delivered',
  'unregistered',
  'rejected',
  'misconfigured',
  'expired',
];
export const OUTCOMES: readonly OutcomeKind[] = [
  'delivered',
  'retry',
  'unregistered',
  'rejected',
  'misconfigured',
];
export const PLATFORMS: readonly Platform[] = ['ios', 'android'];
export const PROVIDERS: readonly ProviderName[] = ['apns', 'fcm'];
export const REGISTRARS: readonly Registrar[] = ['backend', 'app', 'self'];
export const QUARANTINE_KINDS: readonly QuarantineEntry['kind'][] = ['unregistered', 'bad_token'];

export function codeOf<Name extends string>(names: readonly Name[], name: Name): number {
  const code = names.indexOf(name);
  if (code === -1) throw new RangeError(`"${name}" is none of ${names.join(', ')}`);
  return code;
}

export function nameOf<Name extends string>(names: readonly Name[], code: number): Name {
  const name = names[code];
  if (name === undefined) throw new RangeError(`code ${code} is none of ${names.join(', ')}`);
  return name;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const FINGERPRINT_BYTES = 16;

/** Nothing if it is not a UUID in lower case, the only form that can be given back exactly. */
export function tryPackUuid(text: string): Buffer | undefined {
  return UUID.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : undefined;
}

export function packUuid(text: string): Buffer {
  const packed = tryPackUuid(text);
  if (packed === undefined) throw new TypeError('an id must be a UUID in lower case');
  return packed;
}

export function unpackUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

/** Nothing if it is not 128 bits in base64url without padding. */
export function tryPackFingerprint(text: string): Buffer | undefined {
  const packed = Buffer.from(text, 'base64url');
  const exact = packed.length === FINGERPRINT_BYTES && packed.toString('base64url') === text;
  return exact ? packed : undefined;
}

export function packFingerprint(text: string): Buffer {
  const packed = tryPackFingerprint(text);
  if (packed === undefined) throw new TypeError('a fingerprint must be 128 bits in base64url');
  return packed;
}

export function unpackFingerprint(bytes: Buffer): string {
  return bytes.toString('base64url');
}

/** What a delivery is found by, as its row has it. */
export interface RowKeys {
  readonly id: Buffer;
  readonly tokenHash: Buffer;
  readonly subjectHash: Buffer | null;
}

/** Throws a TypeError for a form that cannot be given back. */
export function rowKeysOf(delivery: {
  readonly id: string;
  readonly tokenHash: string;
  readonly subjectHash?: string;
}): RowKeys {
  return {
    id: packUuid(delivery.id),
    tokenHash: packFingerprint(delivery.tokenHash),
    subjectHash: delivery.subjectHash === undefined ? null : packFingerprint(delivery.subjectHash),
  };
}

/** Times and durations are kept as whole milliseconds; jitter may hand in fractions. */
export function wholeMs(ms: number): number {
  return Math.round(ms);
}

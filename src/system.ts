// The machine's clock and chance: the only place that reads them. Everything else gets the ports.

import { createHmac, randomBytes } from 'node:crypto';
import type { Clock, Timer } from './core/clock.ts';
import type { Ids } from './core/ids.ts';

/** Service time starts as the wall clock and then follows monotonic time alone. */
export function createSystemClock(): Clock {
  const startWallMs = Date.now();
  const startMs = performance.now();
  return {
    wallMs: () => Date.now(),
    nowMs: () => startWallMs + (performance.now() - startMs),
    after: (delayMs, task): Timer => {
      const handle = setTimeout(task, delayMs);
      return { cancel: () => clearTimeout(handle) };
    },
  };
}

const FINGERPRINT_BYTES = 16;

/** Chance from the operating system; fingerprints under `lookupKey`, which the store keeps. */
export function createSystemIds(clock: Clock, lookupKey: Uint8Array): Ids {
  return {
    deliveryId: () => uuidVersion7(Math.floor(clock.wallMs())),
    secret: () => randomBytes(16).toString('base64url'),
    fraction: () => Math.random(),
    fingerprint: (value) =>
      createHmac('sha256', lookupKey)
        .update(value)
        .digest()
        .subarray(0, FINGERPRINT_BYTES)
        .toString('base64url'),
  };
}

/** RFC 9562 section 5.7: 48 bits of Unix milliseconds, then random bits around version and variant. */
function uuidVersion7(unixMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(unixMs, 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

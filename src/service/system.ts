// The machine's clock and chance: the only place that reads them. Everything else gets the ports.

import { createHmac, createSecretKey, randomFillSync } from 'node:crypto';
import type { Clock, Timer } from '../core/ports/clock.ts';
import type { Ids } from '../core/ports/ids.ts';

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

/** The first 128 bits of a digest in base64url: 21 characters, and two bits in one more. */
const FINGERPRINT_CHARACTERS = 22;
const LAST_CHARACTERS = 'AQgw';
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** How long writes gather before they go to the disk as one transaction: less than a provider takes to answer. */
const GATHER_MS = 5;

/** Real time, whatever clock the service runs on. */
export function deferBriefly(task: () => void): void {
  setTimeout(task, GATHER_MS);
}

/** Chance from the operating system; fingerprints under `lookupKey`, which the store keeps. */
export function createSystemIds(clock: Clock, lookupKey: Uint8Array): Ids {
  // Made once: a raw key would be turned into a key object, six times the cost of the HMAC, at every call.
  const key = createSecretKey(lookupKey);
  const random = createRandomPool();
  return {
    deliveryId: () => uuidVersion7(Math.floor(clock.wallMs()), random(16)),
    secret: () => random(16).toString('base64url'),
    fraction: () => Math.random(),
    fingerprint: (value) => firstBits(createHmac('sha256', key).update(value).digest('base64url')),
  };
}

/** As text all the way: a Buffer in between costs as much as the HMAC. */
function firstBits(digest: string): string {
  const lastByBits = BASE64URL.indexOf(digest.charAt(FINGERPRINT_CHARACTERS - 1)) >> 4;
  return digest.slice(0, FINGERPRINT_CHARACTERS - 1) + LAST_CHARACTERS.charAt(lastByBits);
}

/** RFC 9562 section 5.7: 48 bits of Unix milliseconds, then random bits around version and variant. */
function uuidVersion7(unixMs: number, bytes: Buffer): string {
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

/** Random bytes by the page: asking the operating system for sixteen at a time costs ten times as much. */
function createRandomPool(): (bytes: number) => Buffer {
  const pool = Buffer.alloc(4_096);
  let used = pool.length;
  return (bytes) => {
    if (used + bytes > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const taken = Buffer.from(pool.subarray(used, used + bytes));
    pool.fill(0, used, used + bytes);
    used += bytes;
    return taken;
  };
}

// Ids that are derived from the seed.

import { createHmac } from 'node:crypto';
import type { Clock } from '../../src/core/ports/clock.ts';
import type { Ids } from '../../src/core/ports/ids.ts';
import type { Random } from './random.ts';

const FINGERPRINT_BYTES = 16;

export function fingerprint(value: string): string {
  const digest = createHmac('sha256', 'simulation').update(value).digest();
  return digest.subarray(0, FINGERPRINT_BYTES).toString('hex');
}

/** As the core computes it. */
export function tokenHashOf(token: string): string {
  return fingerprint(`default\n${token}`);
}

export function createSimulatedIds(random: Random, clock: Clock): Ids {
  return {
    deliveryId: () => {
      const time = Math.floor(clock.wallMs()).toString(16).padStart(12, '0');
      const tail = random.hex(10);
      return [
        time.slice(0, 8),
        time.slice(8),
        `7${tail.slice(0, 3)}`,
        `8${tail.slice(3, 6)}`,
        `${tail.slice(6)}`.slice(0, 12).padEnd(12, '0'),
      ].join('-');
    },
    secret: () => Buffer.from(random.hex(16), 'hex').toString('base64url'),
    fraction: () => random.fraction(),
    fingerprint,
    deriveKey: (purpose) => Buffer.from(fingerprint(`key\n${purpose}`)),
  };
}

// The machine's ids and fingerprints.

import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSystemClock, createSystemIds } from '../../src/service/system.ts';

test('fingerprints are the first 128 bits of the HMAC', () => {
  const key = randomBytes(32);
  const ids = createSystemIds(createSystemClock(), key);
  const rule = fc.property(fc.string({ unit: 'grapheme' }), (value) => {
    const hmac = createHmac('sha256', key).update(value).digest();
    expect(ids.fingerprint(value)).toBe(hmac.subarray(0, 16).toString('base64url'));
  });
  fc.assert(rule, { numRuns: 1_000 });
});

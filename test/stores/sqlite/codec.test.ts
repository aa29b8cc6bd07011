// Packing is exact: what goes in comes out, and what would not is refused.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  codeOf,
  nameOf,
  packFingerprint,
  packUuid,
  STATUSES,
  tryPackFingerprint,
  tryPackUuid,
  unpackFingerprint,
  unpackUuid,
} from '../../../src/stores/sqlite/codec.ts';

test('unpacks every id and fingerprint as it was packed', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uint8Array({ minLength: 16, maxLength: 16 }), (id, bytes) => {
      expect(unpackUuid(packUuid(id))).toBe(id);
      const fingerprint = Buffer.from(bytes).toString('base64url');
      expect(unpackFingerprint(packFingerprint(fingerprint))).toBe(fingerprint);
    }),
  );
});

test('packs no text that it could not give back', () => {
  const nearly = fc.stringMatching(/^[A-Za-z0-9_+/=-]{20,24}$/);
  fc.assert(
    fc.property(nearly, (text) => {
      const packed = tryPackFingerprint(text);
      expect(packed === undefined || unpackFingerprint(packed) === text).toBe(true);
    }),
  );
  expect(tryPackUuid('0F9AD8C2-1F0C-4A2B-9D5E-6B8F3C2A1D00')).toBeUndefined();
  expect(() => packUuid('delivery-1')).toThrow(TypeError);
  expect(() => packFingerprint('token')).toThrow(TypeError);
});

test('turns every name into a code and back, and knows no others', () => {
  for (const status of STATUSES) expect(nameOf(STATUSES, codeOf(STATUSES, status))).toBe(status);
  expect(() => nameOf(STATUSES, 6)).toThrow(RangeError);
});

import { expect, test } from 'vitest';
import { subjectHashOf, subjectPrefixHash } from '../../src/core/subject.ts';
import { createSystemClock, createSystemIds } from '../../src/service/system.ts';

const { fingerprint } = createSystemIds(createSystemClock(), Buffer.alloc(32, 'k'));
const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const UUID = '3f0c1a5e-8f0d-4c7e-9a52-0b6f4dd0a001';

test('hashes and UUIDs are one subject in any spelling, found by their first eight characters', () => {
  for (const id of [HASH, UUID]) {
    const hash = subjectHashOf(fingerprint, id);
    expect(hash).toMatch(/^[0-9a-f]{32}$/);
    expect(subjectHashOf(fingerprint, id.toUpperCase())).toBe(hash);
    expect(hash.slice(0, 8)).toBe(subjectPrefixHash(fingerprint, id.slice(0, 8).toUpperCase()));
  }
});

test('the same beginning is not the same subject', () => {
  const other = HASH.slice(0, 8).padEnd(64, '0');
  const [one, two] = [HASH, other].map((id) => subjectHashOf(fingerprint, id));
  expect(one?.slice(0, 8)).toBe(two?.slice(0, 8));
  expect(one).not.toBe(two);
});

test('other ids keep their capitals and are found only as a whole', () => {
  for (const id of ['dPPzPpPpPpPp', 'evt_4bb06f8e', 'deadbeef']) {
    expect(subjectHashOf(fingerprint, id)).toBe(fingerprint(id));
  }
});

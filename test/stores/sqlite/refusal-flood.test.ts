// A million invented calls by strangers, each different: the log stays small, and the one earlier refusal of a real
// device is still found in it.

import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Refusals, type RefusedCall } from '../../../src/core/records/refusals.ts';
import { sampleFingerprint, sampleId } from '../../contract/store-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { useFiles } from './files.ts';
import { readRecordedRows } from './recorded-rows.ts';

const { newFile, open } = useFiles();

const CALLS = 1_000_000;
/** 2,000 calls a second. */
const SECONDS = 500;

const REAL: RefusedCall = {
  requestId: sampleId(1),
  door: '/n/:handle',
  source: 'notify',
  app: 'default',
  code: 'unknown_handle',
  status: 404,
  deviceId: sampleId(2),
  tokenHash: sampleFingerprint('token'),
  subjectHash: sampleFingerprint('subject'),
  isKnown: true,
};

/** Handles, tokens, subjects and addresses that never existed. */
function invention(number: number): RefusedCall {
  const hash = number.toString(16).padStart(32, '0');
  return {
    requestId: sampleId(number),
    door: number % 2 === 0 ? '/n/:handle' : '/api/v1/notify',
    source: 'notify',
    code: number % 3 === 0 ? 'unknown_handle' : 'token_rejected',
    status: number % 3 === 0 ? 404 : 422,
    handleHash: number % 2 === 0 ? hash : undefined,
    tokenHash: number % 2 === 0 ? undefined : hash,
    addressHash: hash,
    isKnown: false,
  };
}

test('a flood of a million invented calls does not push out the refusal of a real device', async () => {
  const file = newFile();
  const clock = new ManualClock();
  const { store, records } = await open(file);
  const faults: unknown[] = [];
  const refusals = new Refusals({
    clock,
    records,
    observer: { observe: (event) => faults.push(event) },
    isStoreSick: () => false,
  });
  refusals.note(REAL);
  await refusals.flush();
  const startMs = clock.wallMs();

  let most = 0;
  for (let second = 0; second < SECONDS; second += 1) {
    for (let number = 0; number < CALLS / SECONDS; number += 1) {
      refusals.note(invention(second * (CALLS / SECONDS) + number));
    }
    most = Math.max(most, refusals.size);
    await refusals.flush();
    clock.advance(1_000);
  }
  await store.close();

  expect(faults).toEqual([]);
  expect(refusals.takeDropped()).toBe(0);
  expect(most).toBeLessThan(1_500);
  const { refusals: rows } = readRecordedRows(file);
  expect(rows.length).toBeLessThanOrEqual(10_001);
  expect(rows.filter(({ isKnown }) => isKnown)).toEqual([
    { ...REAL, atMs: startMs, lastAtMs: startMs, count: 1 },
  ]);
  const counted = rows.reduce((sum, { count }) => sum + count, 0);
  // Those of the first minutes are beyond the 10,000 rows.
  expect(counted).toBeGreaterThan(CALLS * 0.8);
  expect(statSync(file).size).toBeLessThan(16 * 1_024 * 1_024);
});

// What is read from a receipt's body, and that nothing in it can do harm.

import { expect, test } from 'vitest';
import { parseReceipt } from '../../../src/core/receipts/parse-receipt.ts';
import { STAGES } from '../../../src/core/receipts/receipt.ts';
import fc from '../../support/properties.ts';

function parse(body: unknown) {
  return parseReceipt(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
}

test('reads every field', () => {
  const body = { stage: 'failed', t: 1_900, n: 2, why: 'locked', shown: true };
  expect(parse({ ...body, priority: 'normal', original: 'high' })).toEqual({
    stage: 'failed',
    sinceArrivalMs: 1_900,
    n: 2,
    why: 'locked',
    isShown: true,
    priority: 'normal',
    originalPriority: 'high',
  });
});

test('takes an empty or unreadable receipt as the start of the phone', () => {
  const started = { stage: 'started', n: 1 };
  const bodies = ['', '{}', 'no json', '[]', '"started"', 'null', '[[[[[[[[', '{"stage":"woke"}'];
  for (const body of bodies) expect(parse(body), body).toMatchObject(started);
  expect(parse({ stage: 'done', pad: 'x'.repeat(256) })).toEqual(started);
});

test('leaves out times that are negative, fractions or too far ahead, and unknown words', () => {
  for (const t of [-1, 1.5, 7 * 86_400_000, '12', null, 1e300]) {
    expect(parse({ stage: 'done', t })).toMatchObject({ stage: 'done', sinceArrivalMs: undefined });
  }
  const foreign = { n: 3, why: '<script>', shown: 'yes', priority: 'HIGH', original: 1 };
  expect(parse({ stage: 'done', ...foreign })).toEqual({
    ...{ stage: 'done', n: 1, sinceArrivalMs: undefined, why: undefined, isShown: undefined },
    ...{ priority: undefined, originalPriority: undefined },
  });
});

test('never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(Buffer.from)), (body) => {
      expect(STAGES).toContain(parseReceipt(body).stage);
    }),
  );
});

// The id in a receipt's address: which ids are accepted, and for how long.

import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { ReceiptIds } from '../../../src/core/receipts/receipt-id.ts';
import { createSystemIds } from '../../../src/service/system.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import fc, { anyText } from '../../support/properties.ts';

const HOUR_MS = 3_600_000;

function setup(lookupKey = new Uint8Array(32).fill(7)) {
  const clock = new ManualClock();
  const ids = createSystemIds(clock, lookupKey);
  return { clock, ids, receipts: new ReceiptIds(ids) };
}

test('has 43 characters of base64url and identifies its delivery', () => {
  const { clock, ids, receipts } = setup();
  const deliveryId = ids.deliveryId();
  const receiptId = receipts.of(deliveryId);
  expect(receiptId).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(receipts.verify(receiptId, clock.wallMs())).toBe(deliveryId);
});

test('is valid for an hour, at another machine with the same key too, and when the clock was set back', () => {
  const { clock, ids, receipts } = setup();
  const deliveryId = ids.deliveryId();
  const receiptId = receipts.of(deliveryId);
  const { receipts: another } = setup();
  expect(another.verify(receiptId, clock.wallMs() + HOUR_MS)).toBe(deliveryId);
  expect(another.verify(receiptId, clock.wallMs() + HOUR_MS + 1)).toBeUndefined();
  expect(another.verify(receiptId, clock.wallMs() - HOUR_MS)).toBe(deliveryId);
});

test('is invalid with another key, for another delivery or with one bit changed', () => {
  const { clock, ids, receipts } = setup();
  const first = receipts.of(ids.deliveryId());
  const second = receipts.of(ids.deliveryId());
  const { receipts: stranger } = setup(new Uint8Array(32).fill(8));
  expect(stranger.verify(first, clock.wallMs())).toBeUndefined();
  const bytes = (id: string) => Buffer.from(id, 'base64url');
  const mixed = Buffer.concat([bytes(first).subarray(0, 16), bytes(second).subarray(16)]);
  expect(receipts.verify(mixed.toString('base64url'), clock.wallMs())).toBeUndefined();
  for (let bit = 0; bit < 256; bit += 1) {
    const changed = bytes(first);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(receipts.verify(changed.toString('base64url'), clock.wallMs())).toBeUndefined();
  }
});

test('an id cannot be made with a fingerprint of a text that callers choose as the key', () => {
  const { clock, ids, receipts } = setup();
  const bytes = Buffer.from(ids.deliveryId().replaceAll('-', ''), 'hex');
  const forged = createHmac('sha256', ids.fingerprint('nds receipts 1')).update(bytes).digest();
  const receiptId = Buffer.concat([bytes, forged.subarray(0, 16)]).toString('base64url');
  expect(receipts.verify(receiptId, clock.wallMs())).toBeUndefined();
});

test('is not used if it would be too old for the phone to answer', () => {
  const { clock, ids, receipts } = setup();
  const deliveryId = ids.deliveryId();
  expect(receipts.mayAsk(deliveryId, clock.wallMs() + HOUR_MS - 60_000)).toBe(true);
  expect(receipts.mayAsk(deliveryId, clock.wallMs() + HOUR_MS - 59_999)).toBe(false);
  expect(receipts.mayAsk(deliveryId, clock.wallMs() - HOUR_MS)).toBe(true);
});

test('checks any text as an id without throwing', () => {
  const { clock, receipts } = setup();
  fc.assert(
    fc.property(fc.oneof(anyText(), fc.base64String()), (text) => {
      expect(receipts.verify(text, clock.wallMs())).toBeUndefined();
    }),
  );
});

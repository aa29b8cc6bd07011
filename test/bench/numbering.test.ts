// Every push can be told from every other by the bytes that arrive at the provider.

import { expect, test } from 'vitest';
import { numberIn, paymentHash, platformOf, tokenOf } from '../../bench/numbering.ts';

test('finds the number of a push in its payload again', () => {
  for (const number of [0, 1, 4_294_967_296, 10_000_000]) {
    expect(paymentHash(number)).toMatch(/^[0-9a-f]{64}$/);
    expect(numberIn(`{"payment_hash":"${paymentHash(number)}"}`)).toBe(number);
  }
  expect(numberIn('{"payment_hash":"zz"}')).toBeUndefined();
  expect(numberIn('')).toBeUndefined();
});

test('gives consecutive numbers different phones, and the phones tokens of the right form', () => {
  expect(tokenOf(1, 'ios', 50_000)).toMatch(/^[0-9a-f]{64}$/);
  expect(tokenOf(1, 'android', 50_000)).toMatch(/^[A-Za-z0-9_:-]{140,200}$/);
  expect(tokenOf(1, 'ios', 50_000)).not.toBe(tokenOf(2, 'ios', 50_000));
  expect(tokenOf(3, 'ios', 100)).toBe(tokenOf(103, 'ios', 100));
});

test('alternates between the platforms in a mixed run', () => {
  expect([0, 1, 2, 3].map((number) => platformOf(number, 'mixed'))).toEqual([
    'android',
    'ios',
    'android',
    'ios',
  ]);
  expect(platformOf(1, 'android')).toBe('android');
});

// Which call is a repeat, depending on how the first one's delivery continued.

import { expect, test } from 'vitest';
import { Duplicates } from '../../../src/core/tokens/duplicates.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const WINDOW_MS = 25_000;

function setup(maxKeys = 10) {
  const clock = new ManualClock();
  const duplicates = new Duplicates(clock, { maxKeys });
  const hold = (key: string, end: Promise<unknown> = Promise.resolve()) =>
    duplicates.hold(key, { deliveryId: `id of ${key}`, end }, WINDOW_MS);
  return { clock, duplicates, hold };
}

test('finds the first call of a key, and none for another key', () => {
  const { duplicates, hold } = setup();
  hold('aa');
  expect(duplicates.find('aa')).toMatchObject({ deliveryId: 'id of aa', isOpen: true });
  expect(duplicates.find('bb')).toBeUndefined();
});

test('the key of a delivery that is still open outlasts its window', () => {
  const { clock, duplicates, hold } = setup();
  hold('aa');
  clock.advance(10 * WINDOW_MS);
  duplicates.sweep();
  expect(duplicates.find('aa')?.isOpen).toBe(true);
});

test('the key of a delivery that arrived lasts as long as its window', () => {
  const { clock, duplicates, hold } = setup();
  hold('aa');
  duplicates.close('id of aa');
  clock.advance(WINDOW_MS - 1);
  expect(duplicates.find('aa')).toMatchObject({ deliveryId: 'id of aa', isOpen: false });
  clock.advance(1);
  expect(duplicates.find('aa')).toBeUndefined();
});

test('a delivery that ended undelivered gives its key back', () => {
  const { duplicates, hold } = setup();
  hold('aa');
  duplicates.confirm('id of aa');
  duplicates.release('id of aa');
  expect(duplicates.find('aa')).toBeUndefined();
  expect(duplicates.hasFailed('id of aa')).toBe(true);
});

test('the key of a second delivery is not lost when the first one ends', () => {
  const { duplicates, hold } = setup();
  hold('aa');
  duplicates.hold('aa', { deliveryId: 'another id', end: Promise.resolve() }, WINDOW_MS);
  duplicates.release('id of aa');
  expect(duplicates.find('aa')?.deliveryId).toBe('another id');
});

test('a delivery whose key another one took is forgotten, and the key is as new as any', () => {
  const { duplicates, hold } = setup(2);
  hold('aa');
  hold('bb');
  duplicates.hold('aa', { deliveryId: 'another id', end: Promise.resolve() }, WINDOW_MS);
  duplicates.close('id of aa');
  expect(duplicates.hasArrived('id of aa')).toBe(false);
  hold('cc');
  expect(duplicates.find('bb')).toBeUndefined();
  expect(duplicates.find('aa')?.deliveryId).toBe('another id');
});

test('a repeat waits for the first answer only until it is known that the push was taken', () => {
  const { duplicates, hold } = setup();
  const end = Promise.withResolvers<unknown>().promise;
  hold('aa', end);
  expect(duplicates.find('aa')?.end).toBe(end);
  duplicates.confirm('id of aa');
  expect(duplicates.find('aa')?.end).toBeUndefined();
});

test('a first call that is refused leaves no promise without a handler', async () => {
  const { duplicates, hold } = setup();
  hold('aa', Promise.reject(new Error('refused')));
  await expect(duplicates.find('aa')?.end).rejects.toThrow('refused');
});

test('a sweep removes keys that are over', () => {
  const { clock, duplicates, hold } = setup();
  hold('aa');
  hold('bb');
  duplicates.close('id of aa');
  clock.advance(WINDOW_MS);
  duplicates.sweep();
  expect(duplicates.size).toBe(1);
  duplicates.release('id of bb');
  expect(duplicates.size).toBe(0);
});

test('beyond the limit the oldest key is forgotten', () => {
  const { duplicates, hold } = setup(2);
  for (const key of ['aa', 'bb', 'cc']) hold(key);
  expect(['aa', 'bb', 'cc'].filter((key) => duplicates.find(key))).toEqual(['bb', 'cc']);
});

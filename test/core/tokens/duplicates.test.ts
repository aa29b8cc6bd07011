// What is kept of a key, by how its delivery ended.

import { expect, test } from 'vitest';
import { Duplicates } from '../../../src/core/tokens/duplicates.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const WINDOW_MS = 25_000;

function setup(maxKeys = 10) {
  const clock = new ManualClock();
  const duplicates = new Duplicates(clock, { maxKeys });
  const hold = (key: string) =>
    duplicates.hold(key, { deliveryId: `id of ${key}`, end: Promise.resolve() }, WINDOW_MS);
  return { clock, duplicates, hold };
}

test('of what arrived nothing but the id is kept, and nothing can release it', () => {
  const { duplicates, hold } = setup();
  hold('aa');
  expect(duplicates.find('aa')?.end).toBeInstanceOf(Promise);
  duplicates.complete('id of aa');
  duplicates.release('id of aa');
  expect(duplicates.find('aa')).toMatchObject({ deliveryId: 'id of aa', end: undefined });
});

test('what was taken for later can still be released', () => {
  const { duplicates, hold } = setup();
  hold('aa');
  duplicates.confirm('id of aa');
  expect(duplicates.find('aa')).toMatchObject({ deliveryId: 'id of aa', end: undefined });
  duplicates.release('id of aa');
  expect(duplicates.find('aa')).toBeUndefined();
});

test('a sweep drops what is over, and beyond the bound the oldest goes', () => {
  const { clock, duplicates, hold } = setup(2);
  hold('aa');
  hold('bb');
  hold('cc');
  expect(['aa', 'bb', 'cc'].filter((key) => duplicates.find(key))).toEqual(['bb', 'cc']);
  clock.advance(WINDOW_MS);
  duplicates.sweep();
  expect(duplicates.size).toBe(0);
});

// A memory of limited size: the entry unused for longest is forgotten, and reading does not count as use.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Recent } from '../../../src/core/tokens/recent.ts';

test('forgets the entry unused for longest; reading does not count as use', () => {
  const recent = new Recent<number>(2);
  recent.use('a', 1);
  recent.use('b', 2);
  recent.use('a', 3);
  expect([recent.get('b'), recent.has('b')]).toEqual([2, true]);
  recent.use('c', 4);
  expect(recent.has('b')).toBe(false);
  expect(recent.values()).toEqual([3, 4]);
  expect(recent.count((value) => value > 3)).toBe(1);
  expect([recent.delete('a'), recent.delete('a')]).toEqual([true, false]);
  recent.clear();
  expect(recent.values()).toEqual([]);
});

test('has the values that were used last, each once, and never more than its limit', () => {
  const uses = fc.array(fc.tuple(fc.constantFrom(...'abcdef'), fc.nat()), { maxLength: 50 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), uses, (max, used) => {
      const recent = new Recent<number>(max);
      for (const [key, value] of used) recent.use(key, value);
      const last = used.filter(([key], at) => !used.slice(at + 1).some(([later]) => later === key));
      expect(recent.values()).toEqual(last.slice(-max).map(([, value]) => value));
    }),
  );
});

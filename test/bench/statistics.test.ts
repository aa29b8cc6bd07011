// The benchmark's arithmetic: percentiles by nearest rank, medians, spreads.

import { expect, test } from 'vitest';
import { distribution, median, percentile, spread } from '../../bench/statistics.ts';
import fc from '../support/properties.ts';

test('takes percentiles by nearest rank, so that each is a value that occurred', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(hundred, 0)).toBe(1);
  expect(percentile(hundred, 50)).toBe(50);
  expect(percentile(hundred, 99)).toBe(99);
  expect(percentile(hundred, 99.9)).toBe(100);
  expect(percentile(hundred, 100)).toBe(100);
  expect(percentile([15, 20, 35, 40, 50], 30)).toBe(20);
  expect(percentile([7], 99)).toBe(7);
});

test('sorts by size and not by text', () => {
  expect(percentile([10, 9, 100], 100)).toBe(100);
  expect(percentile([10, 9, 100], 1)).toBe(9);
});

test('leaves at least the given share of the values at or below a percentile', () => {
  const values = fc.array(fc.double({ noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 100, noNaN: true }), (all, percent) => {
      const found = percentile(all, percent);
      expect(all).toContain(found);
      const atOrBelow = all.filter((value) => value <= found).length;
      expect(atOrBelow / all.length).toBeGreaterThanOrEqual(percent / 100 - 1e-9);
    }),
  );
});

test('takes the middle value, or the mean of the two in the middle, as the median', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([5])).toBe(5);
});

test('gives the spread as a share of the median', () => {
  expect(spread([90, 100, 115])).toBe(0.25);
  expect(spread([7])).toBe(0);
  expect(spread([0, 0])).toBe(0);
});

test('sums up a distribution', () => {
  const thousand = Array.from({ length: 1_000 }, (_, index) => index + 1);
  expect(distribution(thousand)).toEqual({
    count: 1_000,
    p50: 500,
    p99: 990,
    p999: 999,
    max: 1_000,
  });
});

test('throws for an empty set of values', () => {
  expect(() => percentile([], 50)).toThrow(RangeError);
  expect(() => median([])).toThrow(RangeError);
  expect(() => percentile([1], 101)).toThrow(RangeError);
  expect(() => percentile([1], Number.NaN)).toThrow(RangeError);
});

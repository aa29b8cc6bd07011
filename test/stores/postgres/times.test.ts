// How service time becomes the database's time.

import { expect, test } from 'vitest';
import { Times } from '../../../src/stores/postgres/times.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const NOW = Date.UTC(2026, 0, 1);
const answered = { sentAtMs: NOW, answeredAtMs: NOW + 10 };

test('takes clocks that differ by no more than the answer’s way for equal', () => {
  const times = new Times(new ManualClock(NOW));
  times.measure(NOW + 40, answered);
  expect(times.at(NOW)).toBe('2026-01-01T00:00:00.000Z');
  expect(times.from(NOW)).toBe(NOW);
});

test('stores a moment as the database’s own, and reads it as this machine’s', () => {
  const times = new Times(new ManualClock(NOW));
  times.measure(NOW + 5_005, answered);
  expect(times.at(NOW)).toBe('2026-01-01T00:00:05.000Z');
  expect(times.from(NOW + 5_000)).toBe(NOW);
  // A little drift is no change: what is planned would move to and fro.
  times.measure(NOW + 5_040, answered);
  expect(times.aheadMs).toBe(5_000);
  times.measure(NOW + 4_905, answered);
  expect(times.aheadMs).toBe(4_900);
  times.measure(NOW + 5, answered);
  expect(times.aheadMs).toBe(0);
});

test('rounds ends down and everything else to the nearest millisecond', () => {
  const times = new Times(new ManualClock(NOW));
  expect(times.endAt(NOW + 0.9)).toBe('2026-01-01T00:00:00.000Z');
  expect(times.at(NOW + 0.9)).toBe('2026-01-01T00:00:00.001Z');
  expect(() => times.at(Number.NaN)).toThrow(RangeError);
  expect(() => times.at(9e15)).toThrow(RangeError);
});

test('stores a moment of a wall clock that was set as the database’s, and reads it as that clock goes now', () => {
  const clock = new ManualClock(NOW);
  const times = new Times(clock);
  times.measure(NOW + 5_005, answered);
  clock.jump(3_600_000);
  expect(times.atWall(clock.wallMs())).toBe('2026-01-01T00:00:05.000Z');
  expect(times.wallFrom(NOW + 5_000)).toBe(clock.wallMs());
  clock.jump(-7_200_000);
  expect(times.wallFrom(NOW + 5_000)).toBe(clock.wallMs());
});

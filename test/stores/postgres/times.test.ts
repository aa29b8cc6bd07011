// How service time becomes the database's time.

import { expect, test } from 'vitest';
import { Times } from '../../../src/stores/postgres/times.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const NOW = Date.UTC(2026, 0, 1);
const answered = { sentAtMs: NOW, answeredAtMs: NOW + 10 };

test('takes clocks for equal if they differ by no more than the time of the answer', () => {
  const times = new Times(new ManualClock(NOW));
  times.measure(NOW + 40, answered);
  expect(times.at(NOW)).toBe('2026-01-01T00:00:00.000Z');
  expect(times.from(NOW)).toBe(NOW);
});

test('stores a time by the database’s clock, and reads it by this machine’s', () => {
  const times = new Times(new ManualClock(NOW));
  times.measure(NOW + 5_005, answered);
  expect(times.at(NOW)).toBe('2026-01-01T00:00:05.000Z');
  expect(times.from(NOW + 5_000)).toBe(NOW);
  // A little drift does not count, because planned times would move back and forth.
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

test('after the wall clock was set, stores its times by the database’s clock, and reads them by the new wall clock', () => {
  const clock = new ManualClock(NOW);
  const times = new Times(clock);
  times.measure(NOW + 5_005, answered);
  clock.jump(3_600_000);
  expect(times.atWall(clock.wallMs())).toBe('2026-01-01T00:00:05.000Z');
  expect(times.wallFrom(NOW + 5_000)).toBe(clock.wallMs());
  clock.jump(-7_200_000);
  expect(times.wallFrom(NOW + 5_000)).toBe(clock.wallMs());
});

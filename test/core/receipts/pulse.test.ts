// Whether receipts in general still come, before anybody is judged by their absence.

import { expect, test } from 'vitest';
import { Pulse } from '../../../src/core/receipts/pulse.ts';

const HOUR_MS = 3_600_000;

function noteMany(pulse: Pulse, count: number, judged: { expected: number; came: boolean }): void {
  for (let index = 0; index < count; index += 1) pulse.note({ atMs: 0, ...judged });
}

test('receipts have fallen if fewer than half of those came that should have', () => {
  const pulse = new Pulse();
  noteMany(pulse, 5, { expected: 1, came: true });
  noteMany(pulse, 5, { expected: 1, came: false });
  expect(pulse.hasFallen(0)).toBe(false);
  pulse.note({ atMs: 0, expected: 1, came: false });
  expect(pulse.hasFallen(0)).toBe(true);
  noteMany(pulse, 5, { expected: 1, came: true });
  expect(pulse.hasFallen(0)).toBe(false);
});

test('a few pushes, phones that never send any, and what is an hour old say nothing', () => {
  const pulse = new Pulse();
  noteMany(pulse, 4, { expected: 1, came: false });
  noteMany(pulse, 100, { expected: 0, came: false });
  expect(pulse.hasFallen(0)).toBe(false);
  noteMany(pulse, 4, { expected: 1, came: false });
  expect(pulse.hasFallen(HOUR_MS - 1)).toBe(true);
  expect(pulse.hasFallen(HOUR_MS)).toBe(false);
});

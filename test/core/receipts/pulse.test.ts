// Whether receipts in general still come; this is checked before a phone is judged by their absence.

import { expect, test } from 'vitest';
import { Pulse } from '../../../src/core/receipts/pulse.ts';

const HOUR_MS = 3_600_000;

let phones = 0;

/** Notes a push to another phone each time. */
function note(pulse: Pulse, judged: { expected: number; came: boolean }, atMs = 0): void {
  phones += 1;
  pulse.note(`phone ${phones}`, { atMs, ...judged });
}

function noteMany(pulse: Pulse, count: number, judged: { expected: number; came: boolean }): void {
  for (let index = 0; index < count; index += 1) note(pulse, judged);
}

test('receipts have fallen if fewer than half of the expected ones came', () => {
  const pulse = new Pulse();
  noteMany(pulse, 5, { expected: 1, came: true });
  noteMany(pulse, 5, { expected: 1, came: false });
  expect(pulse.hasFallen(0)).toBe(false);
  note(pulse, { expected: 1, came: false });
  expect(pulse.hasFallen(0)).toBe(true);
  noteMany(pulse, 5, { expected: 1, came: true });
  expect(pulse.hasFallen(0)).toBe(false);
});

test('a few phones, and phones that never send any, are no evidence', () => {
  const pulse = new Pulse();
  noteMany(pulse, 4, { expected: 1, came: false });
  noteMany(pulse, 100, { expected: 0, came: false });
  expect(pulse.hasFallen(0)).toBe(false);
});

test('results are forgotten after an hour, except those of the last ten phones', () => {
  const pulse = new Pulse();
  noteMany(pulse, 12, { expected: 1, came: false });
  for (let index = 0; index < 8; index += 1) note(pulse, { expected: 1, came: true }, 1);
  expect(pulse.hasFallen(HOUR_MS - 1)).toBe(true);
  expect(pulse.hasFallen(HOUR_MS)).toBe(false);
  const quiet = new Pulse();
  noteMany(quiet, 8, { expected: 1, came: false });
  expect(quiet.hasFallen(24 * HOUR_MS)).toBe(true);
});

test('one phone counts once, however often it is silent', () => {
  const pulse = new Pulse();
  const note = (came: boolean) => pulse.note('phone', { atMs: 0, expected: 1, came });
  for (let push = 0; push < 100; push += 1) note(false);
  expect(pulse.hasFallen(0)).toBe(false);
});

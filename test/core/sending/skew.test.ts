// The clock of this machine compared with Google's: what is corrected, and what readiness says.

import { expect, test } from 'vitest';
import { Skew } from '../../../src/core/sending/attempts.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function setup(offsetMs: number) {
  const clock = new ManualClock();
  const skew = new Skew(clock);
  skew.note(clock.wallMs() + offsetMs);
  return { clock, skew };
}

test('nothing is corrected before Google answered', () => {
  expect(new Skew(new ManualClock())).toMatchObject({ correctionMs: 0, detail: undefined });
});

test.each([0, 4_999, -5_000])('%i ms are within the tolerance', (offsetMs) => {
  const { skew } = setup(offsetMs);
  expect(skew).toMatchObject({ correctionMs: 0, detail: undefined });
});

test.each([5_001, -5_001])('%i ms are beyond it', (offsetMs) => {
  const { skew } = setup(offsetMs);
  expect(skew.correctionMs).toBe(offsetMs);
  expect(skew.detail).toContain('synchronise it');
});

test('a clock that is behind is corrected forwards, and readiness says by how much', () => {
  const { skew } = setup(61_000);
  expect(skew.correctionMs).toBe(61_000);
  expect(skew.detail).toContain('61 s behind');
});

test('a clock that is ahead is corrected backwards', () => {
  const { skew } = setup(-61_000);
  expect(skew.correctionMs).toBe(-61_000);
  expect(skew.detail).toContain('61 s ahead of');
});

test('a clock that was ahead has no skew as soon as it is set back', () => {
  const { clock, skew } = setup(-61_000);
  clock.advance(3_600_000);
  clock.jump(-61_000);
  expect(skew).toMatchObject({ correctionMs: 0, offsetMs: 0, detail: undefined });
});

test('the last answer counts: after the clock was set right there is no skew', () => {
  const { clock, skew } = setup(61_000);
  clock.jump(61_000);
  skew.note(clock.wallMs());
  expect(skew.detail).toBeUndefined();
});

// Service time is moved on within a second after a suspension; before, the wall clock seems to have been set.
test.each([
  { offsetMs: 0, correctedMs: 0 },
  { offsetMs: -61_000, correctedMs: -61_000 },
  { offsetMs: 61_000, correctedMs: 0 },
])(
  'just after a suspension a clock $offsetMs ms off is corrected by $correctedMs',
  ({ offsetMs, correctedMs }) => {
    const { clock, skew } = setup(offsetMs);
    clock.jump(3_600_000);
    expect(skew.correctionMs).toBe(correctedMs);
  },
);

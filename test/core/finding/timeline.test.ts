// The line of time of a long outage: short enough to read, and without a recovery that nobody saw.

import { expect, test } from 'vitest';
import { timelineOf } from '../../../src/core/finding/timeline.ts';
import { attempt, CALLED, sampleEvidence, sampleLogged } from './samples.ts';

/** What the timeline has of a delivery whose first attempts failed. */
function linesAfter(failures: number, everyMs = 1_000): readonly string[] {
  const attempts = [
    ...Array.from({ length: failures }, (_, index) =>
      attempt(index + 1, everyMs * index, 'UNAVAILABLE'),
    ),
    attempt(failures + 1, everyMs * failures),
  ];
  const timeline = timelineOf(sampleEvidence({ deliveries: [sampleLogged({ attempts })] }));
  return timeline.slice(1).map(({ atMs, what, text }) => `${atMs - CALLED} ${what} ${text}`);
}

test('attempts in a row that end alike are shortened to three lines', () => {
  expect(linesAfter(40)).toEqual([
    '0 try 1 fcm  UNAVAILABLE after 41 ms',
    '1000 try 2-39 fcm  UNAVAILABLE each, until 18:13:00',
    '39000 try 40 fcm  UNAVAILABLE after 41 ms',
    '40000 try 41 fcm  delivered after 41 ms',
  ]);
  expect(linesAfter(4)).toHaveLength(5);
});

test('shortened attempts that go on until another day name that day', () => {
  expect(linesAfter(9, 3_600_000)[1]).toMatch(/^3600000 try 2-8 .* until 2026-11-27 01:12:22$/);
});

test('a provider is not said to recover where a stop of nds ended its outage', () => {
  const stoppedAtMs = CALLED + 5_000;
  const down = { app: 'default', provider: 'fcm', reason: 'UNAVAILABLE' } as const;
  const outage = { ...down, beganAtMs: CALLED - 1_000, endedAtMs: stoppedAtMs };
  const gap = { kind: 'stopped', endedAtMs: CALLED + 9_000, unlogged: 0 } as const;
  const said = (beganAtMs: number) => {
    const gaps = [{ ...gap, beganAtMs }];
    return timelineOf(sampleEvidence({ outages: [outage], gaps })).map(({ what }) => what);
  };
  expect(said(stoppedAtMs)).toEqual(['outage', 'stopped', 'started']);
  // A try that ended after the last sign of life moves the stop.
  expect(said(stoppedAtMs + 900)).not.toContain('recovered');
  expect(said(stoppedAtMs + 3_000)).toContain('recovered');
});

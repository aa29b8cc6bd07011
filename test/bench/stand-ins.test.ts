// The stand-ins as a process of the benchmark: every command gets its own reply.

import { expect, test } from 'vitest';
import { StandIns } from '../../bench/stand-ins.ts';

test('gives each of several commands at once its own reply', async () => {
  await using standIns = await StandIns.start(undefined);
  await standIns.watch(1, 3);
  const [progress, startedUs, arrivals, overUs] = await Promise.all([
    standIns.waitFor(0, 0),
    standIns.startOutage('fcm', 'hang'),
    standIns.arrivals(),
    standIns.endOutage('fcm'),
  ]);
  expect(progress.arrived).toBe(0);
  expect([...arrivals.atUs]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  expect(overUs).toBeGreaterThanOrEqual(startedUs);
});

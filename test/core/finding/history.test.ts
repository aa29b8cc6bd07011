// The last hours, hour by hour: what is counted in which hour, how often the log is read, and how much of it.

import { expect, test } from 'vitest';
import { HistoryReader, HOUR_MS } from '../../../src/core/finding/history.ts';
import type { CountOptions, DeliveryCount } from '../../../src/core/ports/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function setup(pagesInAll = 1) {
  const clock = new ManualClock();
  const thisHour = Math.floor(clock.wallMs() / HOUR_MS) * HOUR_MS;
  const asked: CountOptions[] = [];
  const lane = { app: 'default', provider: 'fcm' } as const;
  const delivered = (beganAtMs: number, afterMs: number, count: number): DeliveryCount => {
    return { beganAtMs, ...lane, status: 'delivered', afterMs, count };
  };
  const deliveries: readonly DeliveryCount[] = [
    delivered(thisHour, 40, 98),
    delivered(thisHour, 2_000, 2),
    { beganAtMs: thisHour, ...lane, status: 'queued', count: 3 },
    delivered(thisHour - HOUR_MS, 50, 1),
    { beganAtMs: thisHour - HOUR_MS, ...lane, status: 'expired', count: 4 },
  ];
  const refusals = [
    { beganAtMs: thisHour, code: 'bad_signature', count: 7 },
    // The first of these calls was taken.
    { beganAtMs: thisHour, code: 'duplicate', count: 9 },
  ];
  const history = new HistoryReader((options) => {
    asked.push(options);
    const isLast = asked.length >= pagesInAll;
    const empty = { deliveries: [], refusals: [], nextRowId: isLast ? undefined : 1 };
    return options.of === 'deliveries' ? { ...empty, deliveries } : { ...empty, refusals };
  }, clock);
  return { clock, thisHour, asked, history };
}

test('counts by hour and outcome, with percentiles', async () => {
  const { history, thisHour } = setup();
  const { hours, p99OfLane, isComplete } = await history.read();
  expect(hours).toHaveLength(24);
  expect(hours.map(({ beganAtMs }) => beganAtMs).at(0)).toBe(thisHour - 23 * HOUR_MS);
  expect(hours.slice(-2)).toEqual([
    {
      beganAtMs: thisHour - HOUR_MS,
      delivered: 1,
      queued: 0,
      failed: 4,
      refused: 0,
      p50Ms: 50,
      p99Ms: 50,
    },
    {
      beganAtMs: thisHour,
      delivered: 100,
      queued: 3,
      failed: 0,
      refused: 7,
      p50Ms: 40,
      p99Ms: 2_000,
    },
  ]);
  expect(hours[0]).toMatchObject({ delivered: 0, p50Ms: undefined });
  expect([...p99OfLane]).toEqual([['default\nfcm', 2_000]]);
  expect(isComplete).toBe(true);
});

test('is read twice a minute, however many readers ask, and again at once after a failure', async () => {
  const { history, clock, asked } = setup();
  await Promise.all([history.read(), history.read()]);
  clock.advance(29_999);
  await history.read();
  expect(asked).toHaveLength(2);
  clock.advance(1);
  await history.read();
  expect(asked).toHaveLength(4);
  let isBroken = true;
  const broken = new HistoryReader(() => {
    if (isBroken) throw new Error('broken');
    return { deliveries: [], refusals: [] };
  }, clock);
  await expect(broken.read()).rejects.toThrow('broken');
  isBroken = false;
  expect((await broken.read()).hours).toHaveLength(24);
});

test('reads a limited number of rows, and says so', async () => {
  const { history, asked } = setup(10_000);
  expect((await history.read()).isComplete).toBe(false);
  expect(asked).toHaveLength(1_000);
});

import { expect, test } from 'vitest';
import { readStatistics } from '../../../src/core/finding/statistics.ts';
import type { CountedPage, DeliveryCount } from '../../../src/core/ports/log.ts';

const LANE = { app: 'default', provider: 'fcm' } as const;

/** One page of each kind. */
function pagesOf(pages: Partial<CountedPage>) {
  const empty = { deliveries: [], refusals: [] };
  return ({ of }: { readonly of: 'deliveries' | 'refusals' }): CountedPage => ({
    ...empty,
    [of]: pages[of] ?? [],
  });
}

function delivered(afterMs: number, count = 1): DeliveryCount {
  return { beganAtMs: 0, ...LANE, status: 'delivered', afterMs, count };
}

function failed(status: DeliveryCount['status'], token: string, reason?: string): DeliveryCount {
  return { beganAtMs: 0, ...LANE, status, reason, tokenHash: token, count: 1 };
}

test('percentiles are values that were measured', async () => {
  const deliveries = [delivered(40, 98), delivered(900), delivered(14_000)];
  const { lanes } = await readStatistics(pagesOf({ deliveries }), { sinceMs: 1 });
  expect(lanes).toEqual([
    { ...LANE, delivered: 100, expired: 0, rejected: 0, queued: 0, p50Ms: 40, p99Ms: 900 },
  ]);
});

test('counts the reasons of failures, with the number of tokens', async () => {
  const deliveries = [
    delivered(40),
    failed('expired', 'a', 'UNAVAILABLE'),
    failed('expired', 'b', 'UNAVAILABLE'),
    failed('expired', 'a', 'UNAVAILABLE'),
    failed('unregistered', 'c', 'UNREGISTERED'),
    failed('misconfigured', 'a', 'NOT_FOUND'),
    failed('queued', 'a'),
    failed('expired', 'e'),
    { ...failed('rejected', 'd', 'BadDeviceToken'), app: 'wallet', provider: 'apns' as const },
  ];
  const refusals = [
    { beganAtMs: 0, app: 'default', code: 'bad_signature', count: 210 },
    { beganAtMs: 0, code: 'not_found', count: 3 },
    // The first of these calls was taken.
    { beganAtMs: 0, app: 'default', code: 'duplicate', count: 5 },
  ];
  const read = await readStatistics(pagesOf({ deliveries, refusals }), { sinceMs: 1 });
  expect(read.lanes).toMatchObject([
    { ...LANE, delivered: 1, expired: 4, rejected: 2, queued: 1 },
    { app: 'wallet', provider: 'apns', delivered: 0, rejected: 1, p50Ms: undefined },
  ]);
  expect(read.refused).toEqual([
    { app: 'default', count: 210 },
    { app: undefined, count: 3 },
  ]);
  const overdue = { status: 'expired', reason: 'overdue', ...LANE, count: 1, tokens: 1 };
  expect(read.whyNot).toContainEqual(overdue);
  expect(read.whyNot.slice(0, 3)).toEqual([
    { status: 'refused', reason: 'bad_signature', app: 'default', count: 210, tokens: 0 },
    { status: 'expired', reason: 'UNAVAILABLE', ...LANE, count: 3, tokens: 2 },
    { status: 'refused', reason: 'not_found', app: undefined, count: 3, tokens: 0 },
  ]);
});

test('continues from page to page until the last', async () => {
  const asked: (number | undefined)[] = [];
  const { lanes } = await readStatistics(
    ({ of, beforeRowId }) => {
      if (of === 'refusals') return { deliveries: [], refusals: [] };
      asked.push(beforeRowId);
      const nextRowId = beforeRowId === 1 ? undefined : (beforeRowId ?? 4) - 1;
      return { deliveries: [delivered(40)], refusals: [], nextRowId };
    },
    { sinceMs: 1 },
  );
  expect(asked).toEqual([undefined, 3, 2, 1]);
  expect(lanes[0]?.delivered).toBe(4);
});

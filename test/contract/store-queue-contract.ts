// The part of the Store contract about the queue: what a claim takes, in which order, when to claim next, and what is
// counted.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import fc from '../support/properties.ts';
import {
  accept,
  claim,
  claimedIds,
  FAILED,
  NOW,
  OWNER,
  sampleDelivery,
  sampleId,
  sampleNews,
  settlement,
  wait,
} from './store-samples.ts';

type Setup = () => Promise<Store>;

export function storeQueueContract(setup: Setup): void {
  testsOfDueTimes(setup);
  testsOfSelection(setup);
  testsOfCounts(setup);
}

function testsOfDueTimes(setup: Setup): void {
  test('claims what is due, up to the limit, and returns when to claim next', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 300);
    await wait(store, 2, NOW + 100);
    await wait(store, 3, NOW + 301);
    await wait(store, 4, NOW + 9_000);

    const first = await store.claimDue(claim({ nowMs: NOW + 300, limit: 1 }));
    expect(first.deliveries).toHaveLength(1);
    expect(first.nextDueAtMs).toBeLessThanOrEqual(NOW + 300);
    const second = await store.claimDue(claim({ nowMs: NOW + 300, limit: 2 }));
    expect(second.deliveries).toHaveLength(1);
    expect(second.nextDueAtMs).toBe(NOW + 301);
    await store.claimDue(claim({ nowMs: NOW + 301 }));
    expect((await store.claimDue(claim({ nowMs: NOW + 302 }))).nextDueAtMs).toBe(NOW + 9_000);
  });

  test('claims deliveries whose lease is over like waiting ones', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { leaseUntilMs: NOW + 50 }));
    await wait(store, 2, NOW - 100);

    expect(await claimedIds(store, { nowMs: NOW + 49 })).toEqual([sampleId(2)]);
    expect(await claimedIds(store, { nowMs: NOW + 50 })).toEqual([sampleId(1)]);
  });

  test('returns no time for the next claim when nothing is queued', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.settle(settlement(sampleDelivery(1)));

    expect(await store.claimDue(claim())).toEqual({ deliveries: [] });
  });

  test('claims for one app and provider only', async () => {
    const store = await setup();
    await wait(store, 1, NOW);

    expect(await store.claimDue(claim({ app: 'other' }))).toEqual({ deliveries: [] });
    expect(await store.claimDue(claim({ provider: 'apns' }))).toEqual({ deliveries: [] });
    expect(await claimedIds(store, {})).toEqual([sampleId(1)]);
  });

  test('returns a delivery whose lifetime is over, for the core to end it', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));

    expect(await claimedIds(store, { nowMs: NOW + 3_600_000 })).toEqual([sampleId(1)]);
  });

  test('claims every waiting delivery once, the earliest end of useful life first', async () => {
    const gaps = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(gaps, fc.integer({ min: 1, max: 10 }), async (lives, limit) => {
        const store = await setup();
        const waiting = lives.map((life, index) =>
          wait(store, sampleDelivery(index, { expiresAtMs: NOW + 60_000 + life }), NOW - index),
        );
        await Promise.all(waiting);
        const claimed: string[] = [];
        for (let batch = await claimedIds(store, { limit }); batch.length > 0; ) {
          claimed.push(...batch);
          batch = await claimedIds(store, { limit });
        }
        const inOrder = lives
          .map((life, index) => ({ life, id: sampleId(index) }))
          .sort((a, b) => a.life - b.life);
        expect(claimed).toEqual(inOrder.map(({ id }) => id));
        await store.close();
      }),
      { numRuns: 10 },
    );
  });

  test('leaves claimed deliveries out of the times to claim next, and counts the leases of others', async () => {
    const store = await setup();
    await wait(store, 1, NOW);
    await store.insert(accept(sampleDelivery(2), { leaseUntilMs: NOW + 700 }));
    const first = await store.claimDue(claim({ leaseUntilMs: NOW + 500 }));

    expect(first).toMatchObject({ deliveries: [{ id: sampleId(1) }], nextDueAtMs: NOW + 700 });
    expect(first.nextUsefulUntilMs).toBeUndefined();
    const second = await store.claimDue(claim({ owner: 'owner-c' }));
    expect(second).toMatchObject({ deliveries: [], nextDueAtMs: NOW + 500 });
  });
}

function testsOfSelection(setup: Setup): void {
  test('puts races before news, however long the news has waited', async () => {
    const store = await setup();
    await wait(store, sampleNews(1), NOW - 5_000);
    await wait(store, 2, NOW);

    expect(await claimedIds(store, {})).toEqual([2, 1].map(sampleId));
  });

  test('chooses as the probe a delivery that was never tried, then the one tried longest ago', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 30_000, { nowMs: NOW + 20 });
    await wait(store, 2, NOW + 60_000, { nowMs: NOW + 10 });
    await store.insert(accept(sampleDelivery(3), { leaseUntilMs: NOW + 30 }));
    const probe = async (nowMs: number) => {
      const ids = await claimedIds(store, { nowMs, select: { kind: 'probe' }, limit: 1 });
      await store.releaseLeases('owner-b');
      return ids;
    };

    expect(await probe(NOW + 29)).toEqual([sampleId(2)]);
    expect(await probe(NOW + 30)).toEqual([sampleId(3)]);
    expect(await probe(NOW + 31)).toEqual([sampleId(1)]);
    expect(await probe(NOW + 32)).toEqual([sampleId(2)]);
  });

  test('claims what reaches its last useful moment, due or not, the earliest end first', async () => {
    const store = await setup();
    const waiting = [53_000, 51_000, 52_000].map((usefulMs, index) =>
      wait(store, sampleDelivery(index, { expiresAtMs: NOW + usefulMs + 8_000 }), NOW + 50_000),
    );
    await Promise.all(waiting);
    const select = { kind: 'last_moment', usefulUntilByMs: NOW + 52_000 } as const;

    const { deliveries, nextUsefulUntilMs } = await store.claimDue(claim({ select }));
    expect(deliveries.map(({ id }) => id)).toEqual([1, 2].map(sampleId));
    expect(nextUsefulUntilMs).toBe(NOW + 53_000);
  });

  test.each(['due', 'probe', 'last_moment'] as const)(
    'claims nothing as %s before its hold is over',
    async (kind) => {
      const store = await setup();
      const hold = { status: 'queued', dueAtMs: NOW, notBeforeMs: NOW + 10_000 } as const;
      await store.insert(accept(sampleDelivery(1)));
      await store.settle(settlement(sampleDelivery(1), hold));
      const select = kind === 'last_moment' ? { kind, usefulUntilByMs: NOW + 60_000 } : { kind };

      const held = await store.claimDue(claim({ nowMs: NOW + 9_999, select }));
      expect(held).toEqual({
        deliveries: [],
        nextDueAtMs: NOW + 10_000,
        nextUsefulUntilMs: NOW + 52_000,
      });
      expect(await claimedIds(store, { nowMs: NOW + 10_000, select })).toEqual([sampleId(1)]);
    },
  );
}

function testsOfCounts(setup: Setup): void {
  test('says how many deliveries are open and for how long the first of them has been due', async () => {
    const store = await setup();
    expect(await store.queueState({ nowMs: NOW })).toEqual({ deliveries: 0, oldestDueForMs: 0 });
    await store.insert(accept(sampleDelivery(1)));
    await wait(store, 2, NOW + 1_000);
    await wait(store, 3, NOW + 3_000);

    const at = (nowMs: number) => store.queueState({ nowMs });
    expect(await at(NOW + 500)).toEqual({ deliveries: 3, oldestDueForMs: 0 });
    expect(await at(NOW + 5_000)).toEqual({ deliveries: 3, oldestDueForMs: 4_000 });
    await store.claimDue(claim({ nowMs: NOW + 5_000, limit: 1 }));
    expect(await at(NOW + 5_000)).toEqual({ deliveries: 3, oldestDueForMs: 2_000 });
    await store.settle(settlement(sampleDelivery(1)));
    expect(await at(NOW + 5_000)).toEqual({ deliveries: 2, oldestDueForMs: 2_000 });
  });

  test('counts the attempts that have ended', async () => {
    const store = await setup();
    await wait(store, 1, NOW);
    await store.claimDue(claim({ owner: OWNER }));
    const next = { status: 'queued', dueAtMs: NOW } as const;
    const attempt = { ...FAILED, number: 2 };
    await store.settle(settlement(sampleDelivery(1), next, { attempt }));

    expect((await store.claimDue(claim())).deliveries).toMatchObject([{ attempts: 2 }]);
  });

  test('counts the attempts that the provider left unanswered, each once', async () => {
    const store = await setup();
    const outcome = { kind: 'retry', reason: 'timeout', certainty: 'unanswered' } as const;
    const next = { status: 'queued', dueAtMs: NOW } as const;
    const again = { keepLeaseUntilMs: NOW };
    await store.insert(accept(sampleDelivery(1)));
    for (const number of [1, 1, 2]) {
      const attempt = { ...FAILED, number, outcome };
      await store.settle(settlement(sampleDelivery(1), next, { ...again, attempt }));
    }
    const uncertain = { ...FAILED, number: 3 };
    await store.settle(settlement(sampleDelivery(1), next, { attempt: uncertain }));

    expect((await store.claimDue(claim())).deliveries).toMatchObject([
      { attempts: 3, unanswered: 2, interrupted: false },
    ]);
  });
}

// The part of the Store contract about who sends what next: leases, due times, restarts.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import {
  accept,
  claim,
  FAILED,
  LEASE_MS,
  NOW,
  OWNER,
  sampleDelivery,
  sampleId,
  settlement,
} from './store-samples.ts';

type Setup = () => Promise<Store>;

export function storeQueueContract(setup: Setup): void {
  testsOfLeases(setup);
  testsOfDueTimes(setup);
  testsOfRestart(setup);
  testsOfHastening(setup);
}

/** Accepts a delivery and leaves it waiting until `dueAtMs`. */
async function wait(store: Store, number: number, dueAtMs: number): Promise<void> {
  await store.insert(accept(sampleDelivery(number)));
  await store.settle(settlement(sampleDelivery(number), { status: 'queued', dueAtMs }));
}

async function claimedIds(store: Store, changes: Parameters<typeof claim>[0]): Promise<string[]> {
  const { deliveries } = await store.claimDue(claim(changes));
  return deliveries.map(({ id }) => id);
}

function testsOfLeases(setup: Setup): void {
  test('claims a delivery only when the lease of whoever accepted it is over', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));

    expect(await store.claimDue(claim({ nowMs: NOW + LEASE_MS - 1 }))).toEqual({
      deliveries: [],
      nextDueAtMs: NOW + LEASE_MS,
    });
    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + LEASE_MS }));
    expect(deliveries).toEqual([sampleDelivery(1)]);
  });

  test('refuses the settlement of an owner whose lease another has taken over', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.claimDue(claim({ nowMs: NOW + LEASE_MS, owner: 'owner-b' }));

    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(false);
    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'queued', attempts: [] },
    ]);
    const byHolder = settlement(sampleDelivery(1), { status: 'delivered' }, { owner: 'owner-b' });
    expect(await store.settle(byHolder)).toBe(true);
  });

  test('takes the settlement of an owner whose lease is over but taken by nobody', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    const late = { nowMs: NOW + 2 * LEASE_MS };

    expect(await store.settle(settlement(sampleDelivery(1), { status: 'delivered' }, late))).toBe(
      true,
    );
  });

  test('refuses to settle a delivery twice, or one that it does not have', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));

    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(true);
    expect(await store.settle(settlement(sampleDelivery(1), { status: 'expired' }))).toBe(false);
    expect(await store.settle(settlement(sampleDelivery(2)))).toBe(false);
  });

  test('gives up the lease of a delivery that waits for its next attempt', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 1_000);

    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(false);
    expect(await claimedIds(store, { nowMs: NOW + 1_000 })).toEqual([sampleId(1)]);
  });

  test('keeps the lease for a second attempt that starts at once', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    const keep = { keepLeaseUntilMs: NOW + 20_000 };
    const next = { status: 'queued', dueAtMs: NOW } as const;
    await store.settle(settlement(sampleDelivery(1), next, keep));

    expect(await claimedIds(store, { nowMs: NOW + 19_999 })).toEqual([]);
    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(true);
  });

  test('makes what an owner leaves due at once, and nobody else’s', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.insert(accept(sampleDelivery(2), { owner: 'owner-c' }));
    await store.releaseLeases(OWNER);

    expect(await claimedIds(store, { nowMs: NOW })).toEqual([sampleId(1)]);
    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(false);
  });

  test('leases a delivery to one of many claims that come in together', async () => {
    const store = await setup();
    for (const number of [1, 2, 3, 4, 5, 6]) await wait(store, number, NOW);
    const claims = ['b', 'c', 'd'].map((owner) => claimedIds(store, { owner, limit: 3 }));

    expect((await Promise.all(claims)).flat().sort()).toEqual([1, 2, 3, 4, 5, 6].map(sampleId));
  });
}

function testsOfDueTimes(setup: Setup): void {
  test('claims the earliest due first, up to the limit, and tells when to ask again', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 300);
    await wait(store, 2, NOW + 100);
    await wait(store, 3, NOW + 200);
    await wait(store, 4, NOW + 9_000);

    const first = await store.claimDue(claim({ nowMs: NOW + 300, limit: 2 }));
    expect(first.deliveries.map(({ id }) => id)).toEqual([2, 3].map(sampleId));
    expect(first.nextDueAtMs).toBe(NOW + 300);
    const second = await store.claimDue(claim({ nowMs: NOW + 300, limit: 2 }));
    expect(second.deliveries.map(({ id }) => id)).toEqual([sampleId(1)]);
    expect(second.nextDueAtMs).toBe(NOW + 9_000);
  });

  test('puts deliveries whose lease is over among the waiting ones, by due time', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { leaseUntilMs: NOW + 50 }));
    await wait(store, 2, NOW - 100);
    await wait(store, 3, NOW + 50);

    expect(await claimedIds(store, { nowMs: NOW + 100, limit: 2 })).toEqual([2, 1].map(sampleId));
  });

  test('has nothing to ask again for when nothing is queued', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.settle(settlement(sampleDelivery(1)));

    expect(await store.claimDue(claim())).toEqual({ deliveries: [] });
  });

  test('claims before the due time when told to look ahead for a probe', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 60_000);
    await wait(store, 2, NOW + 30_000);

    const ahead = { dueByMs: Number.MAX_SAFE_INTEGER, limit: 1 };
    expect(await claimedIds(store, ahead)).toEqual([sampleId(2)]);
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

  test('counts the attempts that have ended', async () => {
    const store = await setup();
    await wait(store, 1, NOW);
    await store.claimDue(claim({ owner: OWNER }));
    const next = { status: 'queued', dueAtMs: NOW } as const;
    const attempt = { ...FAILED, number: 2 };
    await store.settle(settlement(sampleDelivery(1), next, { attempt }));

    expect((await store.claimDue(claim())).deliveries).toMatchObject([{ attempts: 2 }]);
  });

  test('claims every waiting delivery once, in the order of due times', async () => {
    const gaps = fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(gaps, fc.integer({ min: 1, max: 10 }), async (dueGaps, limit) => {
        const store = await setup();
        await Promise.all(dueGaps.map((gap, index) => wait(store, index, NOW + gap)));
        const claimed: string[] = [];
        for (let batch = await claimedIds(store, { nowMs: NOW + 50, limit }); batch.length > 0; ) {
          claimed.push(...batch);
          batch = await claimedIds(store, { nowMs: NOW + 50, limit });
        }
        const inOrder = dueGaps
          .map((gap, index) => ({ gap, id: sampleId(index) }))
          .sort((a, b) => a.gap - b.gap);
        expect(claimed).toEqual(inOrder.map(({ id }) => id));
        await store.close();
      }),
      { numRuns: 10 },
    );
  });
}

function testsOfRestart(setup: Setup): void {
  test('makes all that is open due at once when it recovers, and tells how much that is', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { leaseUntilMs: NOW + 3_600_000 }));
    await wait(store, 2, NOW + 3_600_000);
    await store.insert(accept(sampleDelivery(3)));
    await store.settle(settlement(sampleDelivery(3)));

    expect(await store.recover({ nowMs: NOW + 5_000 })).toBe(2);
    const claimed = await claimedIds(store, { nowMs: NOW + 5_000 });
    expect(claimed.sort()).toEqual([1, 2].map(sampleId));
  });

  test('treats a receipt in the future as now and keeps the lifetime', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    const earlier = NOW - 86_400_000;
    await store.recover({ nowMs: earlier });

    const { deliveries } = await store.claimDue(claim({ nowMs: earlier }));
    expect(deliveries).toEqual([
      { ...sampleDelivery(1), receivedAtMs: earlier, expiresAtMs: earlier + 60_000 },
    ]);
  });

  test('gives no delivery a fraction of a millisecond more than it had', async () => {
    const store = await setup();
    const expiresAtMs = NOW + 60_000.6;
    await store.insert(accept(sampleDelivery(1, { expiresAtMs })));
    await store.recover({ nowMs: NOW + 30_000 });

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 30_000 }));
    expect(deliveries).toHaveLength(1);
    expect(deliveries[0]?.expiresAtMs).toBeLessThanOrEqual(expiresAtMs);
    expect(deliveries[0]?.expiresAtMs).toBeGreaterThan(expiresAtMs - 1);
  });

  test('leaves receipt and end of a delivery alone when the clock is right', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.recover({ nowMs: NOW + 30_000 });

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 30_000 }));
    expect(deliveries).toEqual([sampleDelivery(1)]);
  });
}

function testsOfHastening(setup: Setup): void {
  const options = { app: 'default', provider: 'fcm', nowMs: NOW, spreadMs: 1_000 } as const;

  test('spreads what waits for a provider evenly, the earliest due first', async () => {
    const store = await setup();
    for (const number of [1, 2, 3, 4]) await wait(store, number, NOW + 100_000 - number);

    expect(await store.hasten(options)).toBe(4);
    expect(await claimedIds(store, { nowMs: NOW })).toEqual([sampleId(4)]);
    expect(await claimedIds(store, { nowMs: NOW + 250 })).toEqual([sampleId(3)]);
    expect(await claimedIds(store, { nowMs: NOW + 999 })).toEqual([2, 1].map(sampleId));
  });

  test('delays nothing that is due sooner, and counts only what it moved', async () => {
    const store = await setup();
    await wait(store, 1, NOW - 5);
    await wait(store, 2, NOW + 100_000);

    expect(await store.hasten(options)).toBe(1);
    expect(await claimedIds(store, { nowMs: NOW })).toEqual([1, 2].map(sampleId));
  });

  test('leaves the deliveries of other apps and providers alone', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 100_000);

    expect(await store.hasten({ ...options, provider: 'apns' })).toBe(0);
    expect(await store.hasten({ ...options, app: 'other' })).toBe(0);
    expect(await claimedIds(store, { nowMs: NOW + 1_000 })).toEqual([]);
  });
}

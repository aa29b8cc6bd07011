// The part of the Store contract about leases: which owner may send a delivery and settle it, and when another may take
// it over.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import {
  accept,
  claim,
  claimedIds,
  LEASE_MS,
  NOW,
  OWNER,
  sampleDelivery,
  sampleId,
  settlement,
  wait,
} from './store-samples.ts';

export function storeLeasesContract(setup: () => Promise<Store>): void {
  test('claims a delivery only when the lease of the process that accepted it is over', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));

    expect(await store.claimDue(claim({ nowMs: NOW + LEASE_MS - 1 }))).toEqual({
      deliveries: [],
      nextDueAtMs: NOW + LEASE_MS,
      nextUsefulUntilMs: undefined,
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

  test('when an owner leaves, makes its deliveries due at once, and no others', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.insert(accept(sampleDelivery(2), { owner: 'owner-c' }));
    await store.releaseLeases(OWNER);

    expect(await claimedIds(store, { nowMs: NOW })).toEqual([sampleId(1)]);
    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(false);
  });

  test('marks as interrupted what an owner leaves without a recorded attempt', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.insert(accept(sampleDelivery(2)));
    const keep = { keepLeaseUntilMs: NOW + 20_000 };
    const next = { status: 'queued', dueAtMs: NOW } as const;
    await store.settle(settlement(sampleDelivery(2), next, keep));
    await store.releaseLeases(OWNER);

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW }));
    const interrupted = deliveries.map(({ id, interrupted }) => [id, interrupted]);
    expect(Object.fromEntries(interrupted)).toEqual({ [sampleId(1)]: true, [sampleId(2)]: false });
  });

  test('leases a delivery to one of many claims that come in together', async () => {
    const store = await setup();
    for (const number of [1, 2, 3, 4, 5, 6]) await wait(store, number, NOW);
    const claims = ['b', 'c', 'd'].map((owner) => claimedIds(store, { owner, limit: 3 }));

    expect((await Promise.all(claims)).flat().sort()).toEqual([1, 2, 3, 4, 5, 6].map(sampleId));
  });

  test('claims again what an earlier claim of the same owner leased and has not settled, and nothing else', async () => {
    const store = await setup();
    for (const n of [1, 2, 3]) await wait(store, n, NOW);
    const earlier = { owner: OWNER, leaseUntilMs: NOW + 500 };
    await store.claimDue(claim({ ...earlier, limit: 2 }));
    await store.claimDue(claim({ ...earlier, leaseUntilMs: NOW + 501 }));
    const later = { status: 'queued', dueAtMs: NOW + 9_000 } as const;
    await store.settle(settlement(sampleDelivery(2), later));
    const again = (owner: string) => {
      const select = { kind: 'unsent', leaseUntilMs: NOW + 500 } as const;
      return claimedIds(store, { owner, select, nowMs: NOW + 600, leaseUntilMs: NOW + 30_600 });
    };

    expect(await again('owner-c')).toEqual([]);
    expect(await again(OWNER)).toEqual([sampleId(1)]);
    expect(await again(OWNER)).toEqual([]);
    const free = await claimedIds(store, { nowMs: NOW + 600 });
    expect(free).toEqual([sampleId(3)]);
  });
}

// The part of the Store contract about a restart: what was under way is due at once, plans and holds stay, and if the
// clock was set back no delivery waits or lives longer.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import {
  accept,
  claim,
  claimedIds,
  DAY_MS,
  LEASE_MS,
  NOW,
  sampleDelivery,
  sampleId,
  sampleNews,
  settlement,
  wait,
} from './store-samples.ts';

export function storeRecoveryContract(setup: () => Promise<Store>): void {
  test('makes due at once what was under way, leaves plans as they were, and returns how many are open', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { leaseUntilMs: NOW + 3_600_000 }));
    await wait(store, sampleNews(2), NOW + 3_600_000);
    await store.insert(accept(sampleDelivery(3)));
    await store.settle(settlement(sampleDelivery(3)));

    expect(await store.recover({ nowMs: NOW + 5_000 })).toBe(2);
    const claimed = await store.claimDue(claim({ nowMs: NOW + 5_000 }));
    expect(claimed.deliveries.map(({ id }) => id)).toEqual([sampleId(1)]);
    expect(claimed.nextDueAtMs).toBe(NOW + 3_600_000);
  });

  test('marks as interrupted what was under way without a recorded attempt', async () => {
    const store = await setup();
    const next = { status: 'queued', dueAtMs: NOW } as const;
    for (const number of [1, 2]) await store.insert(accept(sampleDelivery(number)));
    const again = { keepLeaseUntilMs: NOW + LEASE_MS };
    await store.settle(settlement(sampleDelivery(2), next, again));
    await wait(store, 3, NOW);
    await store.recover({ nowMs: NOW + 1 });

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 1 }));
    const interrupted = deliveries.map(({ id, interrupted }) => [id, interrupted]);
    expect(Object.fromEntries(interrupted)).toEqual({
      [sampleId(1)]: true,
      [sampleId(2)]: false,
      [sampleId(3)]: false,
    });
  });

  test('keeps a hold over a restart', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    const hold = { status: 'queued', dueAtMs: NOW, notBeforeMs: NOW + 20_000 } as const;
    await store.settle(settlement(sampleDelivery(1), hold));
    await store.recover({ nowMs: NOW + 5_000 });

    expect(await claimedIds(store, { nowMs: NOW + 19_999 })).toEqual([]);
    expect(await claimedIds(store, { nowMs: NOW + 20_000 })).toEqual([sampleId(1)]);
  });

  test('treats a receipt in the future as now and keeps the lifetime', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    const earlier = NOW - DAY_MS;
    await store.recover({ nowMs: earlier });

    const { deliveries } = await store.claimDue(claim({ nowMs: earlier }));
    expect(deliveries).toEqual([
      {
        ...sampleDelivery(1),
        receivedAtMs: earlier,
        expiresAtMs: earlier + 60_000,
        interrupted: true,
      },
    ]);
  });

  test('moves plan and useful life of a receipt in the future with it', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 15_000);
    await store.recover({ nowMs: NOW - DAY_MS });

    expect(await store.claimDue(claim({ nowMs: NOW - DAY_MS }))).toEqual({
      deliveries: [],
      nextDueAtMs: NOW - DAY_MS + 15_000,
      nextUsefulUntilMs: NOW - DAY_MS + 52_000,
    });
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
    await wait(store, 1, NOW);
    await store.recover({ nowMs: NOW + 30_000 });

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 30_000 }));
    expect(deliveries).toEqual([{ ...sampleDelivery(1), attempts: 1 }]);
  });
}

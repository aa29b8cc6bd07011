// The part of the Store contract about plans that change while no attempt runs: the end of an outage, repeats, late
// answers, and lifetimes that end.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import {
  accept,
  claim,
  claimedIds,
  DAY_MS,
  DELIVERED,
  FAILED,
  HASTEN,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  sampleNews,
  settlement,
  wait,
} from './store-samples.ts';

type Setup = () => Promise<Store>;

export function storePlanContract(setup: Setup): void {
  testsOfHastening(setup);
  testsOfRenewing(setup);
  testsOfConfirming(setup);
  testsOfExpiry(setup);
}

function testsOfHastening(setup: Setup): void {
  test('makes races due at once and spreads news evenly, the earliest due first', async () => {
    const store = await setup();
    for (const number of [1, 2]) await wait(store, number, NOW + 30_000, { nowMs: NOW - 1_000 });
    for (const number of [3, 4, 5, 6]) {
      await wait(store, sampleNews(number), NOW + 100_000 - number, { nowMs: NOW - 1_000 });
    }

    expect(await store.hasten(HASTEN)).toBe(6);
    expect(await claimedIds(store, { nowMs: NOW })).toEqual([1, 2, 6].map(sampleId));
    expect(await claimedIds(store, { nowMs: NOW + 250 })).toEqual([sampleId(5)]);
    expect(await claimedIds(store, { nowMs: NOW + 749 })).toEqual([sampleId(4)]);
    expect(await claimedIds(store, { nowMs: NOW + 750 })).toEqual([sampleId(3)]);
  });

  test('delays nothing that is due sooner, and counts only deliveries that it moved', async () => {
    const store = await setup();
    const tried = { nowMs: NOW - 2_000 };
    await wait(store, 1, NOW - 5, tried);
    for (const number of [2, 3, 4]) await wait(store, sampleNews(number), NOW + number, tried);

    expect(await store.hasten(HASTEN)).toBe(1);
    expect(await claimedIds(store, { nowMs: NOW })).toEqual([1, 2].map(sampleId));
    expect(await claimedIds(store, { nowMs: NOW + 4 })).toEqual([3, 4].map(sampleId));
  });

  test('keeps holds, and does not retry at once what was tried a moment ago', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 30_000, { nowMs: NOW - 999 });
    await store.insert(accept(sampleDelivery(2)));
    const held = { status: 'queued', dueAtMs: NOW + 20_000, notBeforeMs: NOW + 10_000 } as const;
    await store.settle(settlement(sampleDelivery(2), held, { nowMs: NOW - 5_000 }));

    expect(await store.hasten(HASTEN)).toBe(2);
    const lasting = { leaseUntilMs: NOW + 50_000 };
    expect(await claimedIds(store, { nowMs: NOW, ...lasting })).toEqual([]);
    expect(await claimedIds(store, { nowMs: NOW + 1, ...lasting })).toEqual([sampleId(1)]);
    expect(await claimedIds(store, { nowMs: NOW + 9_999, ...lasting })).toEqual([]);
    expect(await claimedIds(store, { nowMs: NOW + 10_000, ...lasting })).toEqual([sampleId(2)]);
  });

  test('leaves the deliveries of other apps and providers alone', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 30_000, { nowMs: NOW - 2_000 });

    expect(await store.hasten({ ...HASTEN, provider: 'apns' })).toBe(0);
    expect(await store.hasten({ ...HASTEN, app: 'other' })).toBe(0);
    expect(await claimedIds(store, { nowMs: NOW + 1_000 })).toEqual([]);
  });
}

function testsOfRenewing(setup: Setup): void {
  const renewal = {
    deliveryId: sampleId(1),
    expiresAtMs: NOW + 100_000,
    usefulUntilMs: NOW + 92_000,
    dueAtMs: NOW + 40_000,
    wallMs: NOW + 40_321,
  };

  test('starts the lifetime of a queued delivery again from now, and makes it due no later', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 45_000);
    expect(await store.renew(renewal)).toBe(true);
    expect(await store.claimDue(claim())).toMatchObject({
      nextDueAtMs: NOW + 40_000,
      nextUsefulUntilMs: NOW + 92_000,
    });
    expect(await store.renew({ ...renewal, dueAtMs: NOW + 50_000 })).toBe(true);

    const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 40_000 }));
    expect(deliveries).toMatchObject([{ expiresAtMs: NOW + 100_000, receivedAtMs: NOW }]);
    const [logged] = await store.findDeliveries({ id: sampleId(1), limit: 1 });
    expect(logged).toMatchObject({ receivedAtMs: NOW, renewedAtMs: NOW + 40_321 });
  });

  test('renews nothing that has ended or does not exist', async () => {
    const store = await setup();
    expect(await store.renew(renewal)).toBe(false);
    await store.insert(accept(sampleDelivery(1)));
    await store.settle(settlement(sampleDelivery(1)));
    expect(await store.renew(renewal)).toBe(false);
  });
}

function testsOfConfirming(setup: Setup): void {
  const times = { nowMs: NOW + 4_000, wallMs: NOW + 4_321 };

  test('settles as delivered whatever owner holds the lease, and replaces the attempts', async () => {
    const store = await setup();
    await wait(store, 1, NOW + 1_000);
    await store.claimDue(claim({ nowMs: NOW + 1_000 }));
    const attempts = [
      { ...DELIVERED, latencyMs: 3_500 },
      { ...DELIVERED, number: 2 },
    ];
    expect(await store.confirm({ deliveryId: sampleId(1), attempts, ...times })).toBe(true);

    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      {
        status: 'delivered',
        settledAtMs: NOW + 4_321,
        attempts: [
          { number: 1, outcome: 'delivered', latencyMs: 3_500 },
          { number: 2, outcome: 'delivered' },
        ],
      },
    ]);
    const byHolder = settlement(sampleDelivery(1), { status: 'expired' }, { owner: 'owner-b' });
    expect(await store.settle(byHolder)).toBe(false);
  });

  test('keeps the duplicate key and the reason of a delivery that the phone proved', async () => {
    const store = await setup();
    const keyHash = sampleFingerprint('key');
    const duplicateKey = { keyHash, expiresAtMs: NOW + 60_000 };
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    await store.confirm({ deliveryId: sampleId(1), attempts: [], reason: 'receipt', ...times });

    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'delivered', reason: 'receipt', attempts: [] },
    ]);
    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 59_999 })).toBe(sampleId(1));
  });

  test('confirms nothing that has ended or does not exist', async () => {
    const store = await setup();
    const confirmation = { deliveryId: sampleId(1), attempts: [DELIVERED], ...times };
    expect(await store.confirm(confirmation)).toBe(false);
    await store.insert(accept(sampleDelivery(1)));
    const expired = settlement(sampleDelivery(1), { status: 'expired' }, { attempt: FAILED });
    await store.settle(expired);

    expect(await store.confirm(confirmation)).toBe(false);
    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'expired', attempts: [{ outcome: 'retry' }] },
    ]);
  });
}

function testsOfExpiry(setup: Setup): void {
  const end = NOW + 60_000;
  const wallMs = NOW + 61_234;

  test('ends every delivery that outlived its lifetime, of any app, but none that is leased', async () => {
    const store = await setup();
    const { target } = sampleDelivery(1);
    await wait(store, sampleDelivery(1, { target: { ...target, app: 'gone' } }), NOW);
    await wait(store, sampleDelivery(2, { expiresAtMs: end + 1 }), NOW);
    await store.insert(accept(sampleDelivery(3), { leaseUntilMs: end + 2 }));
    await store.insert(accept(sampleDelivery(4), { leaseUntilMs: end + 1 }));
    const expire = (nowMs: number) => store.expireOverdue({ nowMs, wallMs, limit: 10 });

    expect(await expire(end)).toEqual([]);
    expect((await expire(end + 1)).toSorted()).toEqual([1, 4].map(sampleId));
    expect(await store.findDeliveries({ id: sampleId(1), limit: 1 })).toMatchObject([
      { status: 'expired', settledAtMs: wallMs },
    ]);
    expect((await expire(end + 2)).toSorted()).toEqual([2, 3].map(sampleId));
    expect(await store.findDeliveries({ status: 'queued', limit: 9 })).toEqual([]);
  });

  test('ends no more than it is asked to, the oldest first', async () => {
    const store = await setup();
    for (const number of [3, 1, 2]) {
      await wait(store, sampleDelivery(number, { expiresAtMs: NOW + number }), NOW);
    }
    const expire = () => store.expireOverdue({ nowMs: end, wallMs, limit: 2 });

    expect(await expire()).toEqual([1, 2].map(sampleId));
    expect(await expire()).toEqual([sampleId(3)]);
  });

  test('records that an interrupted delivery perhaps arrived, and keeps its key', async () => {
    const store = await setup();
    const keyHash = sampleFingerprint('key');
    const duplicateKey = { keyHash, expiresAtMs: NOW + DAY_MS };
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    await store.recover({ nowMs: NOW + 1 });
    await store.expireOverdue({ nowMs: end + 1, wallMs, limit: 10 });

    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'expired', reason: 'interrupted' },
    ]);
    expect(await store.findDuplicate({ keyHash, nowMs: end + 2 })).toBe(sampleId(1));
  });
}

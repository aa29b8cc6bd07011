// What every Store adapter must do. An adapter's test file calls `storeContract` with a way to open an
// empty store; each test opens its own.

import { afterEach, expect, test } from 'vitest';
import type { Delivery } from '../../src/core/delivery.ts';
import { type Store, StoreUnavailableError } from '../../src/core/ports/store.ts';
import fc, { anyText } from '../support/properties.ts';
import { storeLeasesContract } from './store-leases-contract.ts';
import { storePlanContract } from './store-plan-contract.ts';
import { storeQueueContract } from './store-queue-contract.ts';
import { storeRecoveryContract } from './store-recovery-contract.ts';
import {
  accept,
  claim,
  DELIVERED,
  FAILED,
  LEASE_MS,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from './store-samples.ts';
import { storeUpkeepContract } from './store-upkeep-contract.ts';

export function storeContract(open: () => Promise<Store>): void {
  const opened: Store[] = [];

  async function setup(): Promise<Store> {
    const store = await open();
    opened.push(store);
    return store;
  }

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
  });

  storeLeasesContract(setup);
  storeQueueContract(setup);
  storeRecoveryContract(setup);
  storePlanContract(setup);
  testsOfTheLog(setup);
  storeUpkeepContract(setup);
  testsOfClosing(setup);
}

function testsOfTheLog(setup: () => Promise<Store>): void {
  test('shows an accepted delivery as queued, without token and payload', async () => {
    const store = await setup();
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));

    expect(await store.findDeliveries({ limit: 10 })).toEqual([
      {
        id: delivery.id,
        app: 'default',
        platform: 'android',
        provider: 'fcm',
        type: 'payment_received',
        status: 'queued',
        receivedAtMs: NOW,
        lifetimeMs: 60_000,
        tokenHash: delivery.tokenHash,
        subjectHash: delivery.subjectHash,
        repeats: 0,
        attempts: [],
      },
    ]);
  });

  test('records every attempt and the end of a delivery', async () => {
    const store = await setup();
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));
    const retry = { status: 'queued', dueAtMs: NOW + 1_000 } as const;
    const again = { keepLeaseUntilMs: NOW + LEASE_MS, attempt: FAILED };
    expect(await store.settle(settlement(delivery, retry, again))).toBe(true);
    const last = { attempt: { ...DELIVERED, number: 2 } };
    expect(await store.settle(settlement(delivery, { status: 'delivered' }, last))).toBe(true);

    const [logged] = await store.findDeliveries({ limit: 10 });
    expect(logged).toMatchObject({ status: 'delivered', settledAtMs: NOW + 100 });
    expect(logged?.attempts).toEqual([
      { number: 1, startedAtMs: NOW + 2, latencyMs: 2_000, outcome: 'retry', reason: 'timeout' },
      {
        number: 2,
        startedAtMs: NOW + 2,
        latencyMs: 87,
        outcome: 'delivered',
        messageId: '0:1754049600000000%abcdef0123456789',
      },
    ]);
  });

  test('keeps the reason of a delivery that failed', async () => {
    const store = await setup();
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));
    const outcome = { kind: 'unregistered', reason: 'UNREGISTERED' } as const;
    const next = { status: 'unregistered', reason: 'UNREGISTERED' } as const;
    await store.settle(settlement(delivery, next, { attempt: { ...FAILED, outcome } }));

    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'unregistered', reason: 'UNREGISTERED', attempts: [{ outcome: 'unregistered' }] },
    ]);
  });

  test('settles a delivery that ends without an attempt', async () => {
    const store = await setup();
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));
    await store.settle({
      deliveryId: delivery.id,
      owner: 'owner-a',
      next: { status: 'expired' },
      nowMs: NOW + 60_000,
      wallMs: NOW + 60_500,
    });

    expect(await store.findDeliveries({ limit: 1 })).toMatchObject([
      { status: 'expired', settledAtMs: NOW + 60_500, attempts: [] },
    ]);
  });

  test.each([
    'projects/other/messages/7',
    'projects//messages/',
    '0f9ad8c2-1f0c-4a2b-9d5e-6b8f3c2a1d00',
    '0F9AD8C2-1F0C-4A2B-9D5E-6B8F3C2A1D00',
    '',
  ])('returns the message id "%s" as it came', async (messageId) => {
    const store = await setup();
    const delivery = sampleDelivery(1);
    await store.insert(accept(delivery));
    const outcome = { kind: 'delivered', messageId } as const;
    const attempt = { ...DELIVERED, outcome };
    await store.settle(settlement(delivery, { status: 'delivered' }, { attempt }));

    const [logged] = await store.findDeliveries({ limit: 1 });
    expect(logged?.attempts[0]?.messageId).toBe(messageId);
  });

  test('finds deliveries by id, token, subject and status, newest first', async () => {
    const store = await setup();
    const tokenHash = sampleFingerprint('shared token');
    const subjectHash = sampleFingerprint('shared subject');
    const deliveries = [
      sampleDelivery(1, { tokenHash }),
      sampleDelivery(2, { subjectHash }),
      sampleDelivery(3, { tokenHash, subjectHash }),
      sampleDelivery(4),
    ];
    await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
    await store.settle(settlement(sampleDelivery(2)));
    await store.settle(settlement(sampleDelivery(4), { status: 'rejected', reason: 'bad' }));
    const found = async (query: object) =>
      (await store.findDeliveries({ limit: 10, ...query })).map(({ id }) => id);

    expect(await found({})).toEqual([4, 3, 2, 1].map(sampleId));
    expect(await found({ limit: 2 })).toEqual([4, 3].map(sampleId));
    expect(await found({ id: sampleId(2) })).toEqual([sampleId(2)]);
    expect(await found({ tokenHash })).toEqual([3, 1].map(sampleId));
    expect(await found({ subjectHash })).toEqual([3, 2].map(sampleId));
    expect(await found({ tokenHash, subjectHash })).toEqual([sampleId(3)]);
    expect(await found({ status: 'queued' })).toEqual([3, 1].map(sampleId));
    expect(await found({ status: 'delivered' })).toEqual([sampleId(2)]);
    expect(await found({ status: 'rejected' })).toEqual([sampleId(4)]);
    expect(await found({ status: 'expired' })).toEqual([]);
    expect(await found({ app: 'default' })).toHaveLength(4);
    expect(await found({ app: 'other' })).toEqual([]);
    expect(await found({ sinceMs: 0 })).toHaveLength(4);
    expect(await found({ sinceMs: sampleDelivery(1).receivedAtMs + 1 })).toEqual([]);
    expect(await found({ id: 'no-uuid' })).toEqual([]);
    expect(await found({ tokenHash: 'nonsense' })).toEqual([]);
  });

  test('records when a device replied', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1)));
    await store.recordReply({ deliveryId: sampleId(1), answeredAtMs: NOW + 9_000 });
    await store.recordReply({ deliveryId: sampleId(2), answeredAtMs: NOW + 9_000 });

    expect(await store.findDeliveries({ limit: 2 })).toMatchObject([{ answeredAtMs: NOW + 9_000 }]);
  });

  test('lists the tokens that worked, the latest first and each once', async () => {
    const store = await setup();
    const again = { tokenHash: sampleFingerprint('token 1') };
    const deliveries = [1, 2, 3].map((number) => sampleDelivery(number));
    for (const delivery of [...deliveries, sampleDelivery(4, again), sampleDelivery(5)]) {
      await store.insert(accept(delivery));
    }
    for (const number of [1, 2, 4]) await store.settle(settlement(sampleDelivery(number)));
    await store.settle(settlement(sampleDelivery(3), { status: 'rejected' }));

    const tokens = ['token 1', 'token 2'].map(sampleFingerprint);
    expect(await store.listProvenTokens(10)).toEqual(tokens);
    expect(await store.listProvenTokens(1)).toEqual(tokens.slice(0, 1));
  });

  test('takes a row when it is probed and leaves none', async () => {
    const store = await setup();
    await store.probe();
    expect(await store.findDeliveries({ limit: 1 })).toEqual([]);
  });

  test('returns unchanged any text that a delivery carries', async () => {
    const store = await setup();
    let number = 0;
    const text = anyText({ maxLength: 200 });
    const rule = fc.asyncProperty(
      fc.record({ token: text, title: text, payload: text, type: fc.string() }),
      fc.option(text, { nil: undefined }),
      async ({ token, title, payload, type }, appData) => {
        number += 1;
        const base = sampleDelivery(number);
        const delivery: Delivery = {
          ...base,
          target: {
            app: 'default',
            platform: 'android',
            token,
            ...(appData === undefined ? {} : { appData }),
          },
          notification: { type, title, payload, lifetimeMs: 60_000 },
        };
        await store.insert(accept(delivery, { leaseUntilMs: NOW }));
        expect((await store.claimDue(claim())).deliveries).toEqual([delivery]);
        await store.settle(settlement(delivery, { status: 'delivered' }, { owner: 'owner-b' }));
      },
    );
    await fc.assert(rule, { numRuns: 100 });
  });
}

function testsOfClosing(setup: () => Promise<Store>): void {
  test('finishes earlier operations before it closes, and rejects later ones', async () => {
    const store = await setup();
    const writes = [1, 2, 3].map((number) => store.insert(accept(sampleDelivery(number))));
    const closed = store.close();
    await expect(store.probe()).rejects.toMatchObject({ reason: 'closed' });
    await expect(store.findDeliveries({ limit: 1 })).rejects.toBeInstanceOf(StoreUnavailableError);
    await Promise.all(writes);
    await closed;
    await expect(store.insert(accept(sampleDelivery(4)))).rejects.toMatchObject({
      reason: 'closed',
    });
  });

  test('can be closed twice', async () => {
    const store = await setup();
    await store.close();
    await store.close();
  });
}

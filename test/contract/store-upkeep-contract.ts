// The part of the Store contract about rows that outlive a delivery: duplicate keys, quarantine, retention.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import {
  accept,
  DAY_MS,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from './store-samples.ts';

type Setup = () => Promise<Store>;

export function storeUpkeepContract(setup: Setup): void {
  testsOfDuplicateKeys(setup);
  testsOfQuarantine(setup);
  testsOfRetention(setup);
}

function testsOfDuplicateKeys(setup: Setup): void {
  const keyHash = sampleFingerprint('key');
  const duplicateKey = { keyHash, expiresAtMs: NOW + 1_000 };

  test('finds the delivery that holds a duplicate key until the key expires', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    await store.settle(settlement(sampleDelivery(1)));

    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 999 })).toBe(sampleId(1));
    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 1_000 })).toBeUndefined();
    expect(await store.findDuplicate({ keyHash: sampleFingerprint('x'), nowMs: NOW })).toBe(
      undefined,
    );
  });

  test('keeps a key whose window is over as long as its delivery is queued', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    const later = { keyHash, nowMs: NOW + DAY_MS };
    expect(await store.findDuplicate(later)).toBe(sampleId(1));
    await store.prune({
      beforeMs: NOW - DAY_MS,
      nowMs: NOW + DAY_MS,
      wallMs: NOW + DAY_MS,
      limit: 10,
    });
    expect(await store.findDuplicate(later)).toBe(sampleId(1));

    await store.settle(settlement(sampleDelivery(1)));
    expect(await store.findDuplicate(later)).toBeUndefined();
  });

  test('keeps the key of a delivery that ended undelivered, if asked to', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    const keep = { keepKey: true };
    const next = { status: 'expired', reason: 'interrupted' } as const;
    await store.settle(settlement(sampleDelivery(1), next, keep));

    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 999 })).toBe(sampleId(1));
    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 1_000 })).toBeUndefined();
  });

  test('keeps the duplicate key of a delivered delivery', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    await store.settle(settlement(sampleDelivery(1)));

    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBe(sampleId(1));
  });

  test('keeps the duplicate key while a delivery waits for its next attempt', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    const retry = { status: 'queued', dueAtMs: NOW + 1_000 } as const;
    await store.settle(settlement(sampleDelivery(1), retry));

    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBe(sampleId(1));
  });

  test.each(['unregistered', 'rejected', 'misconfigured', 'expired'] as const)(
    'releases the duplicate key of a delivery that ends %s',
    async (status) => {
      const store = await setup();
      await store.insert(accept(sampleDelivery(1), { duplicateKey }));
      await store.settle(settlement(sampleDelivery(1), { status }));

      expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBeUndefined();
    },
  );

  test('gives a duplicate key to the newer delivery, whose key the older one cannot release', async () => {
    const store = await setup();
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    const later = { keyHash, expiresAtMs: NOW + 5_000 };
    await store.insert(accept(sampleDelivery(2), { duplicateKey: later }));
    await store.settle(settlement(sampleDelivery(1), { status: 'expired' }));

    expect(await store.findDuplicate({ keyHash, nowMs: NOW + 2_000 })).toBe(sampleId(2));
  });
}

function testsOfQuarantine(setup: Setup): void {
  test('lists quarantines that have not ended, newest first, replacing an older entry', async () => {
    const store = await setup();
    const first = quarantineEntry('a');
    const second = quarantineEntry('b', { sinceMs: NOW + 1, kind: 'bad_token', provider: 'fcm' });
    const replacement = quarantineEntry('a', { sinceMs: NOW + 2, providerSinceMs: NOW - 5_000 });
    const ended = quarantineEntry('c', { untilMs: NOW });
    for (const entry of [first, second, replacement, ended]) await store.quarantine(entry);

    expect(await store.listQuarantine({ wallMs: NOW, limit: 10 })).toEqual([replacement, second]);
    expect(await store.listQuarantine({ wallMs: NOW, limit: 1 })).toEqual([replacement]);
    expect(await store.listQuarantine({ wallMs: NOW + 1_000, limit: 10 })).toEqual([]);
  });

  test('ends a quarantine by hand and returns whether there was one', async () => {
    const store = await setup();
    await store.quarantine(quarantineEntry('a'));

    expect(await store.releaseQuarantine(sampleFingerprint('a'))).toBe(true);
    expect(await store.releaseQuarantine(sampleFingerprint('a'))).toBe(false);
    expect(await store.releaseQuarantine('nonsense')).toBe(false);
    expect(await store.listQuarantine({ wallMs: NOW, limit: 10 })).toEqual([]);
  });
}

function testsOfRetention(setup: Setup): void {
  const options = { beforeMs: NOW + 3, nowMs: NOW + 500, wallMs: NOW + 500, limit: 1_000 };

  test('prunes settled deliveries received before a time, and no open ones', async () => {
    const store = await setup();
    for (const number of [1, 2, 3, 4]) {
      const delivery = sampleDelivery(number, { receivedAtMs: NOW + number });
      await store.insert(accept(delivery));
      if (number !== 2) await store.settle(settlement(delivery));
    }

    expect(await store.prune(options)).toBe(1);
    expect(await store.prune(options)).toBe(0);
    const left = await store.findDeliveries({ limit: 10 });
    expect(left.map(({ id }) => id)).toEqual([4, 3, 2].map(sampleId));
  });

  test('prunes expired duplicate keys and quarantines', async () => {
    const store = await setup();
    const keyHash = sampleFingerprint('key');
    const duplicateKey = { keyHash, expiresAtMs: NOW + 500 };
    const receivedAtMs = NOW + 10;
    await store.insert(accept(sampleDelivery(1, { receivedAtMs }), { duplicateKey }));
    await store.settle(settlement(sampleDelivery(1)));
    await store.quarantine(quarantineEntry('a', { untilMs: NOW + 500 }));
    await store.quarantine(quarantineEntry('b', { untilMs: NOW + 501 }));

    expect(await store.prune(options)).toBe(2);
    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBeUndefined();
    expect(await store.listQuarantine({ wallMs: NOW, limit: 9 })).toHaveLength(1);
  });

  test('keeps a duplicate key that outlives the row of its delivery', async () => {
    const store = await setup();
    const keyHash = sampleFingerprint('key');
    const duplicateKey = { keyHash, expiresAtMs: NOW + 5_000 };
    await store.insert(accept(sampleDelivery(1), { duplicateKey }));
    await store.settle(settlement(sampleDelivery(1)));

    expect(await store.prune(options)).toBe(1);
    expect(await store.findDuplicate({ keyHash, nowMs: NOW })).toBe(sampleId(1));
  });

  test('prunes no more than it is asked to', async () => {
    const store = await setup();
    const deliveries = Array.from({ length: 450 }, (_, number) => sampleDelivery(number));
    await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
    await Promise.all(deliveries.map((delivery) => store.settle(settlement(delivery))));

    expect(await store.prune({ ...options, limit: 7 })).toBe(7);
    expect(await store.prune({ ...options, limit: 400 })).toBe(400);
    expect(await store.prune({ ...options, limit: 400 })).toBe(43);
  });
}

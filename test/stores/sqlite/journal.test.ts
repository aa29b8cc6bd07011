// Accepted deliveries before their first end: what the journal holds, when they leave it, and that a rolled back
// transaction, another process and damage lose none.

import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Delivery } from '../../../src/core/delivery.ts';
import { packAcceptance, unpackAcceptance } from '../../../src/stores/sqlite/packed.ts';
import {
  accept,
  claim,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();

interface Counts {
  readonly journal: number;
  readonly deliveries: number;
  readonly queue: number;
  readonly secrets: number;
}

function count(file: string): Counts | undefined {
  const db = new Database(file, { readonly: true });
  const counts = db
    .prepare<[], Counts>(
      `SELECT (SELECT count(*) FROM journal) AS journal, (SELECT count(*) FROM deliveries) AS deliveries,
         (SELECT count(*) FROM queue) AS queue, (SELECT count(*) FROM secrets) AS secrets`,
    )
    .get();
  db.close();
  return counts;
}

const deliveriesFrom = (first: number, number: number) =>
  Array.from({ length: number }, (_, index) => sampleDelivery(first + index));

test('keeps a batch as one entry and erases it with the last of its deliveries', async () => {
  const file = newFile();
  const { store } = await open(file);
  const deliveries = deliveriesFrom(1, 3);
  await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
  expect(count(file)).toEqual({ journal: 1, deliveries: 0, queue: 0, secrets: 0 });

  await store.settle(settlement(sampleDelivery(2)));
  await store.settle(settlement(sampleDelivery(1), { status: 'expired' }));
  expect(count(file)).toEqual({ journal: 1, deliveries: 2, queue: 0, secrets: 0 });
  await store.settle(settlement(sampleDelivery(3)));
  expect(count(file)).toEqual({ journal: 0, deliveries: 3, queue: 0, secrets: 0 });
});

test('writes what is accepted and ends in the same batch only once', async () => {
  const file = newFile();
  const { store } = await open(file);
  await Promise.all([
    store.insert(accept(sampleDelivery(1))),
    store.settle(settlement(sampleDelivery(1))),
  ]);
  expect(count(file)).toEqual({ journal: 0, deliveries: 1, queue: 0, secrets: 0 });
});

test('moves one that is left for later to the queue, and no other', async () => {
  const file = newFile();
  const { store } = await open(file);
  await Promise.all(deliveriesFrom(1, 2).map((delivery) => store.insert(accept(delivery))));
  await store.settle(settlement(sampleDelivery(1), { status: 'queued', dueAtMs: NOW + 1_000 }));
  expect(count(file)).toEqual({ journal: 1, deliveries: 1, queue: 1, secrets: 1 });
  expect(await store.settle(settlement(sampleDelivery(2)))).toBe(true);

  const { deliveries } = await store.claimDue(claim({ nowMs: NOW + 1_000 }));
  expect(deliveries).toEqual([{ ...sampleDelivery(1), attempts: 1 }]);
});

test('splits a large batch, so that one slow delivery keeps few others sealed', async () => {
  const file = newFile();
  const { store } = await open(file);
  await Promise.all(deliveriesFrom(1, 250).map((delivery) => store.insert(accept(delivery))));
  expect(count(file)?.journal).toBe(3);
});

test('loses nothing of a batch in which one operation is at fault', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(sampleDelivery(1)));
  const malformed = sampleDelivery(3, { tokenHash: 'malformed' });
  const results = await Promise.allSettled([
    store.insert(accept(sampleDelivery(2))),
    store.insert(accept(sampleDelivery(1))),
    store.settle(settlement(sampleDelivery(1))),
    store.insert(accept(malformed)),
    store.settle(settlement(malformed)),
    store.insert(accept(sampleDelivery(4))),
  ]);

  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
  expect(count(file)).toEqual({ journal: 2, deliveries: 1, queue: 0, secrets: 0 });
  await store.insert(accept(sampleDelivery(5)));
  for (const number of [2, 4, 5]) {
    expect(await store.settle(settlement(sampleDelivery(number)))).toBe(true);
  }
  expect(count(file)).toEqual({ journal: 0, deliveries: 4, queue: 0, secrets: 0 });
});

test('goes on with what a process left that was killed, and hands over nothing twice', async () => {
  const file = newFile();
  const { store } = await open(file);
  const key = { keyHash: sampleFingerprint('key'), expiresAtMs: NOW + 60_000 };
  await Promise.all([
    store.insert(accept(sampleDelivery(1))),
    store.insert(accept(sampleDelivery(2), { duplicateKey: key })),
    store.insert(accept(sampleDelivery(3))),
  ]);
  await store.settle(settlement(sampleDelivery(1)));
  await store.settle(settlement(sampleDelivery(3), { status: 'queued', dueAtMs: NOW + 1 }));

  // The first is still open, as it would be to the file if it had been killed.
  const { store: successor } = await open(file);
  expect(await successor.recover({ nowMs: NOW + 5 })).toBe(2);
  expect(count(file)).toEqual({ journal: 0, deliveries: 3, queue: 2, secrets: 2 });
  const { deliveries } = await successor.claimDue(claim({ nowMs: NOW + 5 }));
  expect(deliveries.map(({ id }) => id).sort()).toEqual([sampleId(2), sampleId(3)]);

  // Whoever is late finds that it holds nothing any more, and goes on all the same.
  expect(await store.settle(settlement(sampleDelivery(2)))).toBe(false);
  await store.insert(accept(sampleDelivery(6)));
  expect(await store.settle(settlement(sampleDelivery(6)))).toBe(true);
  const failed = { status: 'unregistered', reason: 'UNREGISTERED' } as const;
  expect(await successor.settle(settlement(sampleDelivery(2), failed, { owner: 'owner-b' }))).toBe(
    true,
  );
  expect(await successor.findDuplicate({ keyHash: key.keyHash, nowMs: NOW })).toBeUndefined();
});

test('tells an operator of another process what is on its way', async () => {
  const file = newFile();
  const { store } = await open(file);
  await Promise.all(deliveriesFrom(1, 3).map((delivery) => store.insert(accept(delivery))));
  await store.settle(settlement(sampleDelivery(2)));
  const { store: beside } = await open(file);
  const { tokenHash, subjectHash } = sampleDelivery(3);

  expect(await beside.findDeliveries({ limit: 10 })).toMatchObject([
    { id: sampleId(3), status: 'queued', receivedAtMs: NOW, attempts: [] },
    { id: sampleId(2), status: 'delivered' },
    { id: sampleId(1), status: 'queued' },
  ]);
  for (const query of [{ tokenHash }, { subjectHash: subjectHash ?? '' }, { id: sampleId(3) }]) {
    expect(await beside.findDeliveries({ limit: 10, ...query })).toMatchObject([
      { id: sampleId(3), status: 'queued', tokenHash, subjectHash },
    ]);
  }
  expect(await beside.findDeliveries({ limit: 10, status: 'delivered' })).toHaveLength(1);
  await beside.close();
  // Looking changes nothing.
  expect(count(file)).toMatchObject({ journal: 1, deliveries: 1 });
});

test('refuses alone what could not become a row', async () => {
  const { store } = await open(newFile());
  const malformed = sampleDelivery(1, { tokenHash: 'malformed' });
  await expect(store.insert(accept(malformed))).rejects.toThrow('fingerprint');
  await store.insert(accept(sampleDelivery(2)));
  expect(await store.settle(settlement(malformed))).toBe(false);
  expect(await store.settle(settlement(sampleDelivery(2)))).toBe(true);
  expect((await store.claimDue(claim({ nowMs: NOW + 20_000 }))).deliveries).toEqual([]);
});

test.each([20, 400, 1_500])(
  'settles and prunes on a full disk what it has of %i bytes',
  async (bytes) => {
    const file = newFile();
    const { store } = await open(file, { maxFileBytes: 500_000 });
    const old = deliveriesFrom(1, 1_000).map((delivery) => ({ ...delivery, receivedAtMs: 0 }));
    await Promise.all(old.map((delivery) => store.insert(accept(delivery))));
    await Promise.all(old.map((delivery) => store.settle(settlement(delivery))));
    const notification = { ...sampleDelivery(0).notification, payload: 'x'.repeat(bytes) };
    const accepted: Delivery[] = [];
    for (let number = 2_000; ; number += 10) {
      const batch = Array.from({ length: 10 }, (_, index) =>
        sampleDelivery(number + index, { notification }),
      );
      const results = await Promise.allSettled(
        batch.map((delivery) => store.insert(accept(delivery))),
      );
      const taken = batch.filter((_, index) => results[index]?.status === 'fulfilled');
      accepted.push(...taken);
      if (taken.length < batch.length) break;
    }

    // Without room for their rows they stay in the journal; what is pruned makes room.
    await store.prune({ beforeMs: NOW, nowMs: NOW, limit: 100_000 });
    for (const delivery of accepted.slice(0, 20)) {
      expect(await store.settle(settlement(delivery))).toBe(true);
    }
    await store.probe();
    await store.close();
    const { store: successor } = await open(file);
    expect(await successor.recover({ nowMs: NOW })).toBe(accepted.length - 20);
  },
);

test('leaves an entry that cannot be read where it is, and goes on', async () => {
  const file = newFile();
  const { store } = await open(file);
  await store.insert(accept(sampleDelivery(1)));
  await store.insert(accept(sampleDelivery(2)));
  await store.close();
  const db = new Database(file);
  db.prepare('UPDATE journal SET sealed = zeroblob(length(sealed)) WHERE entry_id = 1').run();
  db.close();

  const { store: successor } = await open(file);
  expect(await successor.recover({ nowMs: NOW })).toBe(1);
  expect(await successor.findDeliveries({ limit: 10 })).toHaveLength(1);
  expect(count(file)).toEqual({ journal: 1, deliveries: 1, queue: 1, secrets: 1 });
});

test('gives back every accepted delivery as it was', () => {
  const text = fc.string();
  const maybe = fc.option(text, { nil: undefined });
  const time = fc.double({ noNaN: true, noDefaultInfinity: true });
  const rule = fc.property(
    fc.record({ text, maybe, time, key: maybe, deviceId: maybe, subjectHash: maybe }),
    (drawn) => {
      const { deviceId, subjectHash } = drawn;
      const accepted = accept(
        sampleDelivery(1, {
          ...(deviceId === undefined ? {} : { deviceId }),
          ...(subjectHash === undefined ? {} : { subjectHash }),
          target: {
            app: drawn.text,
            platform: 'ios',
            token: drawn.text,
            ...(drawn.maybe === undefined ? {} : { appData: drawn.maybe }),
          },
          expiresAtMs: drawn.time,
        }),
        drawn.key === undefined
          ? {}
          : { duplicateKey: { keyHash: drawn.key, expiresAtMs: drawn.time } },
      );
      const carried = JSON.parse(JSON.stringify(packAcceptance(accepted)));
      expect(unpackAcceptance(carried)).toEqual(JSON.parse(JSON.stringify(accepted)));
    },
  );
  fc.assert(rule);
});

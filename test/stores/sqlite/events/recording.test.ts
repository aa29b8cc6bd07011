// Events in the table: written with their fact and never without one, bounded, counted when they fall out.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { RecordedEvent } from '../../../../src/core/ports/events.ts';
import type { OpenedStore } from '../../../../src/stores/sqlite/store.ts';
import {
  accept,
  FAILED,
  NOW,
  quarantineEntry,
  sampleDelivery,
  settlement,
} from '../../../contract/store-samples.ts';
import { ENDPOINT_SECRET, sampleEndpoint } from '../../../support/endpoints.ts';
import { useFiles } from '../files.ts';
import { KEY_B, KEYS } from '../keys.ts';

const { newFile, open } = useFiles();
const HASH = 'AB'.repeat(32);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

async function end(
  { store }: OpenedStore,
  number: number,
  status: 'delivered' | 'expired' | 'misconfigured',
) {
  const sample = sampleDelivery(number);
  const notification = { ...sample.notification, subject: HASH };
  const delivery = sampleDelivery(number, { notification });
  await store.insert(accept(delivery));
  const next = { status, ...(status === 'delivered' ? {} : { reason: 'timeout' }) } as const;
  return await store.settle(settlement(delivery, next, { attempt: FAILED }));
}

async function eventsOf(
  { events }: OpenedStore,
  afterRowId = 0,
): Promise<readonly RecordedEvent[]> {
  return (await events.nextEvents({ endpointId: 'ep_a', afterRowId, limit: 1_000 })).events;
}

test('writes no event while nobody asked for one', async () => {
  const opened = await open(newFile());
  await end(opened, 1, 'expired');
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['provider.*'] }));
  await end(opened, 2, 'expired');
  await opened.events.putEndpoint(sampleEndpoint({ app: 'other' }));
  await end(opened, 3, 'expired');
  expect(await eventsOf(opened)).toEqual([]);
});

test('writes the end of a delivery with the digests that the vendor can compute', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
  await end(opened, 1, 'delivered');
  await end(opened, 2, 'misconfigured');

  expect(await eventsOf(opened)).toEqual([
    {
      rowId: 1,
      id: expect.stringMatching(/^evt_[0-9a-f-]{36}$/),
      atMs: NOW + 100,
      type: 'delivery.rejected',
      app: 'default',
      provider: 'fcm',
      deliveryId: sampleDelivery(2).id,
      notificationType: 'payment_received',
      reason: 'timeout',
      tokenSha256: sha256('fcm-token-2:APA91bH'),
      subjectSha256: sha256(HASH.toLowerCase()),
    },
  ]);
});

test('writes an event once, when the fact is recorded, and none for what was not', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.delivered'] }));
  await end(opened, 1, 'delivered');
  expect(await opened.store.settle(settlement(sampleDelivery(1)))).toBe(false);
  expect(await eventsOf(opened)).toHaveLength(1);
});

test('tells quarantines and outages by those who know', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint());
  const { tokenSha256 } = { tokenSha256: sha256('a token') };
  await opened.store.quarantine(quarantineEntry('held'));
  await opened.store.quarantine(quarantineEntry('a'), {
    atMs: NOW,
    deliveryId: sampleDelivery(1).id,
    tokenSha256,
  });
  const outage = { app: 'default', provider: 'fcm', reason: 'timeout', beganAtMs: NOW } as const;
  await opened.records.recordOutage(outage);
  await opened.records.recordOutage({ ...outage, endedAtMs: NOW + 5_000 });
  await opened.records.recordOutage({ ...outage, beganAtMs: NOW + 6_000, isMisconfigured: true });

  const found = await eventsOf(opened);
  expect(found.map(({ type, atMs }) => [type, atMs - NOW])).toEqual([
    ['device.quarantined', 0],
    ['provider.down', 0],
    ['provider.up', 5_000],
    ['provider.misconfigured', 6_000],
  ]);
  expect(found[0]).toMatchObject({ tokenSha256, reason: quarantineEntry('a').reason });
});

test('counts what falls out of the table for each endpoint that lacks it', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
  await opened.events.putEndpoint(sampleEndpoint({ id: 'ep_b', enabledEvents: ['provider.*'] }));
  for (const number of [1, 2, 3]) await end(opened, number, 'expired');
  const [first] = await eventsOf(opened);
  const attempt = { type: 'delivery.expired', atMs: NOW, latencyMs: 1 } as const;
  await opened.events.noteAttempt({
    endpointId: 'ep_a',
    attempt: { ...attempt, eventId: first?.id ?? '', outcome: 'delivered', status: 200 },
    progress: { cursor: 1, refused: 0 },
  });

  expect(await opened.events.pruneEvents({ beforeMs: NOW + 101, limit: 2 })).toBe(2);
  expect(await opened.events.pruneEvents({ beforeMs: NOW + 100, limit: 2 })).toBe(0);
  const query = { afterRowId: 1, limit: 10 };
  const next = await opened.events.nextEvents({ endpointId: 'ep_a', ...query });
  expect(next.dropped).toEqual({ count: 1, fromMs: NOW + 100, toMs: NOW + 100 });
  expect(next.events).toHaveLength(1);
  expect(
    (await opened.events.nextEvents({ endpointId: 'ep_b', ...query })).dropped,
  ).toBeUndefined();
});

test('does not count an event that arrives while it is deleted', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
  await end(opened, 1, 'expired');
  const [event] = await eventsOf(opened);
  await opened.events.pruneEvents({ beforeMs: NOW + 200, limit: 10 });
  await opened.events.noteAttempt({
    endpointId: 'ep_a',
    attempt: {
      eventId: event?.id ?? '',
      type: 'delivery.expired',
      atMs: NOW,
      latencyMs: 1,
      outcome: 'delivered',
    },
    progress: { cursor: 1, refused: 0 },
  });
  const next = await opened.events.nextEvents({ endpointId: 'ep_a', afterRowId: 1, limit: 10 });
  expect(next.dropped).toBeUndefined();
});

test('keeps addresses and secrets encrypted, also under a new key', async () => {
  const file = newFile();
  const opened = await open(file);
  await opened.events.putEndpoint(sampleEndpoint());
  await opened.store.close();
  for (const name of [file]) {
    const bytes = readFileSync(name, 'latin1');
    expect(bytes).not.toContain('vendor.example');
    expect(bytes).not.toContain(ENDPOINT_SECRET);
  }
  const again = await open(file, { keys: { current: KEY_B, previous: [KEYS.current] } });
  const [found] = await again.events.listEndpoints();
  expect(found?.endpoint).toEqual(sampleEndpoint());
});

test('forgets whom an event was about, and keeps its place', async () => {
  const opened = await open(newFile());
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
  await end(opened, 1, 'expired');
  const { tokenHash } = sampleDelivery(1);
  await opened.operating.forget({ userHashes: [], tokenHashes: [tokenHash], wallMs: NOW });
  const [event] = await eventsOf(opened);
  expect(event?.type).toBe('delivery.expired');
  expect(event?.tokenSha256).toBeUndefined();
  expect(event?.subjectSha256).toBeUndefined();
});

test('a new endpoint begins behind what was recorded before, also after all of it was deleted', async () => {
  const file = newFile();
  const opened = await open(file);
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.*'] }));
  await end(opened, 1, 'expired');
  await opened.events.pruneEvents({ beforeMs: NOW + 200, limit: 10 });
  const { progress } = await opened.events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
  expect(progress.cursor).toBe(1);
  await end(opened, 2, 'expired');
  expect((await eventsOf(opened, progress.cursor)).map(({ rowId }) => rowId)).toEqual([2]);
});

test('deletes the oldest beyond 100,000 while new ones come', async () => {
  const file = newFile();
  const opened = await open(file);
  await opened.events.putEndpoint(sampleEndpoint({ enabledEvents: ['provider.*'] }));
  await opened.store.close();
  const db = new Database(file);
  db.exec(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100100)
     INSERT INTO events (id, at_ms, type) SELECT 'evt_' || i, i, 'provider.up' FROM n`,
  );
  db.close();
  const again = await open(file);
  const outage = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;
  for (let number = 1; number <= 512; number += 1) {
    await again.records.recordOutage({ ...outage, beganAtMs: NOW + number });
  }
  const next = await again.events.nextEvents({ endpointId: 'ep_a', afterRowId: 0, limit: 1 });
  const first = next.events[0]?.rowId ?? 0;
  expect(100_100 + 512 - first).toBeLessThan(100_000 + 256);
  expect(next.dropped?.count).toBe(first - 1);
});

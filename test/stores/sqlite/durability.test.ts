// What SQLite promises the service: batches, locks of other processes, a crash at any moment, a limited WAL.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import {
  accept,
  DELIVERED,
  quarantineEntry,
  sampleDelivery,
  sampleId,
  settlement,
} from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles(tmpdir());
const INSERTING_PROCESS = fileURLToPath(new URL('./inserting-process.ts', import.meta.url));

/** A connection that SQLite cannot distinguish from another process's. */
function connect(file: string): Database.Database {
  return new Database(file, { timeout: 0 });
}

test('commits operations that arrive together as one transaction', async () => {
  const batches: number[] = [];
  const { store } = await open(newFile(), { onBatch: (operations) => batches.push(operations) });
  const deliveries = Array.from({ length: 500 }, (_, number) => sampleDelivery(number));
  await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));

  expect(batches).toEqual([500]);
});

test('commits operations that arrive during a commit as the next transaction, in order', async () => {
  const batches: number[] = [];
  const { store } = await open(newFile(), { onBatch: (operations) => batches.push(operations) });
  const first = store.insert(accept(sampleDelivery(0)));
  await setImmediate();
  const later = [1, 2, 3].map((number) => store.insert(accept(sampleDelivery(number))));
  await Promise.all([first, ...later]);

  expect(batches).toEqual([1, 3]);
  const found = await store.findDeliveries({ limit: 10 });
  expect(found.map(({ id }) => id)).toEqual([3, 2, 1, 0].map(sampleId));
});

test('an operation that fails by itself does not affect its neighbours', async () => {
  const { store } = await open(newFile());
  const troubles: string[] = [];
  store.onTrouble((reason) => troubles.push(reason));
  const uncloneable = Object.assign(sampleDelivery(4), { callback: () => undefined });
  const results = await Promise.allSettled([
    store.insert(accept(sampleDelivery(1))),
    store.insert(accept(sampleDelivery(1))),
    store.insert(accept(sampleDelivery(2, { tokenHash: 'malformed' }))),
    store.insert(accept(uncloneable)),
    store.insert(accept(sampleDelivery(3))),
  ]);

  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ]);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? result.reason : []));
  expect(errors.filter((error) => error instanceof StoreUnavailableError)).toEqual([]);
  expect(troubles).toEqual([]);
  expect(await store.findDeliveries({ limit: 10 })).toHaveLength(2);
  expect((await store.findDeliveries({ limit: 10, status: 'queued' })).length).toBe(2);
});

test.each([Number.MAX_VALUE, -1e19, 2 ** 63, Number.NaN, Number.POSITIVE_INFINITY, 0.5])(
  'refuses a time of %d, or rounds it, and continues',
  async (absurd) => {
    const { store } = await open(newFile());
    const [delivery, neighbour] = [sampleDelivery(1), sampleDelivery(2)];
    await store.insert(accept(delivery));
    const attempt = { ...DELIVERED, startedAtMs: absurd, latencyMs: absurd };
    const entry = quarantineEntry('a', { providerSinceMs: absurd, untilMs: absurd });
    const results = await Promise.allSettled([
      store.settle(settlement(delivery, { status: 'delivered' }, { attempt, wallMs: absurd })),
      store.quarantine(entry),
      store.insert(accept(sampleDelivery(3, { receivedAtMs: absurd, expiresAtMs: absurd }))),
      store.expireOverdue({ nowMs: absurd, wallMs: absurd, limit: 10 }),
      store.insert(accept(neighbour)),
    ]);

    const isUnavailable = (result: PromiseSettledResult<unknown>) =>
      result.status === 'rejected' && result.reason instanceof StoreUnavailableError;
    expect(results.filter(isUnavailable)).toEqual([]);
    expect(results.at(-1)).toMatchObject({ status: 'fulfilled' });
    expect(await store.findDeliveries({ id: neighbour.id, limit: 1 })).toHaveLength(1);
  },
);

test('continues while another process holds the write lock, and writes when the lock is free', async () => {
  const file = newFile();
  const { store } = await open(file);
  const other = connect(file);
  other.exec('BEGIN IMMEDIATE');
  const write = store.insert(accept(sampleDelivery(1)));
  let written = false;
  void write.then(() => {
    written = true;
  });
  let turns = 0;
  for (const endMs = performance.now() + 200; performance.now() < endMs; turns += 1) {
    await setImmediate();
  }

  expect(turns).toBeGreaterThan(100);
  expect(written).toBe(false);
  expect(await store.findDeliveries({ limit: 1 })).toEqual([]);
  other.exec('COMMIT');
  other.close();
  await write;
  expect(await store.findDeliveries({ limit: 1 })).toHaveLength(1);
});

test('refuses as locked when the lock is held for longer, and recovers by itself', async () => {
  const file = newFile();
  const { store } = await open(file, { busyTimeoutMs: 5 });
  const other = connect(file);
  other.exec('BEGIN IMMEDIATE');
  await expect(store.insert(accept(sampleDelivery(1)))).rejects.toMatchObject({ reason: 'locked' });
  other.exec('COMMIT');
  other.close();

  await store.insert(accept(sampleDelivery(1)));
});

test('refuses as busy only what exceeds the limit', async () => {
  const { store } = await open(newFile(), { maxPendingOperations: 10 });
  const writes = Array.from({ length: 12 }, (_, number) =>
    store.insert(accept(sampleDelivery(number))),
  );
  const results = await Promise.allSettled(writes);

  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
  await expect(writes[10]).rejects.toMatchObject({ reason: 'busy' });
  await store.insert(accept(sampleDelivery(20)));
});

test('has every delivery that it confirmed after the process was killed', async () => {
  const file = newFile();
  const child = spawn(process.execPath, [INSERTING_PROCESS, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const confirmed: string[] = [];
  for await (const id of createInterface(child.stdout)) {
    confirmed.push(id);
    if (confirmed.length === 2_000) child.kill('SIGKILL');
  }
  await exited;
  const { store } = await open(file);
  const recovered = await store.recover({ nowMs: 0 });

  expect(confirmed.length).toBeGreaterThanOrEqual(2_000);
  const db = connect(file);
  const ids = db.prepare<[], string>('SELECT id FROM deliveries').pluck().all();
  const queued = db.prepare<[], number>('SELECT count(sealed) FROM queue').pluck().get();
  db.close();
  const missing = new Set(confirmed);
  for (const id of ids) missing.delete(id);
  expect(missing.size).toBe(0);
  expect(queued).toBe(ids.length);
  expect(recovered).toBe(ids.length);
});

test('shrinks the WAL again after a reader of another process made it grow', async () => {
  const file = newFile();
  const { store } = await open(file);
  const walBytes = () => statSync(`${file}-wal`).size;
  let number = 0;
  const writeMany = async () => {
    const notification = { ...sampleDelivery(0).notification, payload: 'x'.repeat(4_000) };
    const writes = Array.from({ length: 1_000 }, () => {
      number += 1;
      return store.insert(accept(sampleDelivery(number, { notification })));
    });
    await Promise.all(writes);
  };
  const reader = connect(file);
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM deliveries').get();
  while (number < 10_000 && (number === 0 || walBytes() < 20_000_000)) await writeMany();
  const grownBytes = walBytes();
  reader.exec('COMMIT');
  reader.close();
  await writeMany();
  await writeMany();

  expect(grownBytes).toBeGreaterThan(20_000_000);
  expect(walBytes()).toBeLessThan(grownBytes);
  expect(walBytes()).toBeLessThanOrEqual(16 * 1_024 * 1_024);
});

test('needs less than 500 bytes of disk for a settled delivery', async () => {
  const file = newFile();
  const { store } = await open(file);
  const deliveries = Array.from({ length: 4_000 }, (_, number) => sampleDelivery(number));
  await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
  await Promise.all(deliveries.map((delivery) => store.settle(settlement(delivery))));
  await store.close();

  const db = connect(file);
  const usedPages = Number(db.pragma('page_count', { simple: true }));
  const freePages = Number(db.pragma('freelist_count', { simple: true }));
  db.close();
  expect(((usedPages - freePages) * 4_096) / deliveries.length).toBeLessThan(500);
});

test('starts no thread for queries before the first query of an operator', async () => {
  const { store } = await open(newFile());
  const threads = () =>
    readdirSync('/proc/self/task')
      .map((thread) => readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim())
      .filter((name) => name.startsWith('store'));
  await store.listQuarantine({ wallMs: 0, limit: 10 });
  await store.listProvenTokens(10);
  expect(threads()).toEqual(['store writer']);

  await store.findDeliveries({ limit: 1 });
  expect(threads()).toContain('store reader');
});

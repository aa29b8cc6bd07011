// The link to a worker thread that dies.

import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { packAcceptance } from '../../../src/stores/sqlite/packed.ts';
import type { WriteCalls } from '../../../src/stores/sqlite/protocol.ts';
import { WorkerLink } from '../../../src/stores/sqlite/worker-link.ts';
import { accept, sampleDelivery } from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';
import { KEYS } from './keys.ts';

const { newFile } = useFiles();
const WORKER = new URL('../../../src/stores/sqlite/worker.ts', import.meta.url);

function setup() {
  const file = newFile();
  const workers: Worker[] = [];
  const crashes: Error[] = [];
  const link = new WorkerLink<WriteCalls>({
    spawn: () => {
      const workerData = { role: 'writer', file, keys: KEYS, busyTimeoutMs: 250 };
      const worker = new Worker(WORKER, { workerData });
      workers.push(worker);
      return worker;
    },
    maxPendingOperations: 100,
    onCrash: (error) => crashes.push(error),
  });
  const insert = (number: number) =>
    link.call({ kind: 'insert', input: packAcceptance(accept(sampleDelivery(number))) });
  return { file, link, workers, crashes, insert };
}

test('refuses what a dying worker took with it and goes on with a new one', async () => {
  const { file, link, workers, crashes, insert } = setup();
  await link.open();
  const other = new Database(file);
  other.exec('BEGIN IMMEDIATE');
  const lost = insert(1);
  await Promise.resolve();
  const waiting = insert(2);
  await Promise.all([
    workers[0]?.terminate(),
    expect(lost).rejects.toMatchObject({ reason: 'io' }),
  ]);
  other.exec('COMMIT');
  other.close();

  await waiting;
  await insert(3);
  expect(workers).toHaveLength(2);
  expect(crashes).toHaveLength(1);
  await link.close();
});

test('starts a new worker with the next operation when one died idle', async () => {
  const { link, workers, crashes, insert } = setup();
  await link.open();
  await workers[0]?.terminate();
  expect(crashes).toHaveLength(1);

  await insert(1);
  expect(workers).toHaveLength(2);
  await link.close();
});

test('refuses what waits for a worker that dies while it opens, instead of trying for ever', async () => {
  const { link, workers, insert } = setup();
  const opening = link.open();
  const waiting = insert(1);
  await workers[0]?.terminate();

  await expect(opening).rejects.toThrow(/ended/);
  await expect(waiting).rejects.toMatchObject({ reason: 'io' });
  expect(workers).toHaveLength(1);
  await insert(1);
  await link.close();
});

test('closes without ever having opened', async () => {
  const { link, workers } = setup();
  await link.close();
  expect(workers).toHaveLength(0);
});

test('gathers operations until it is time or there are enough of them', async () => {
  const file = newFile();
  const batches: number[] = [];
  const due: (() => void)[] = [];
  const link = new WorkerLink<WriteCalls>({
    spawn: () =>
      new Worker(WORKER, { workerData: { role: 'writer', file, keys: KEYS, busyTimeoutMs: 250 } }),
    maxPendingOperations: 1_000,
    defer: (flush) => due.push(flush),
    onBatch: (operations) => batches.push(operations),
  });
  await link.open();
  const probe = () => link.call({ kind: 'probe', input: undefined });
  const some = Array.from({ length: 10 }, probe);
  expect(batches).toEqual([]);
  expect(due).toHaveLength(1);
  due.pop()?.();
  expect(batches).toEqual([10]);
  await Promise.all(some);

  const many = Array.from({ length: 70 }, probe);
  expect(batches).toEqual([10, 64]);
  await Promise.all(many.slice(0, 64));
  due.pop()?.();
  await Promise.all(many);
  expect(batches).toEqual([10, 64, 6]);
  const closed = link.close();
  due.pop()?.();
  await closed;
});

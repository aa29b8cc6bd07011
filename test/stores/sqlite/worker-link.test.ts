// The link to a worker thread that dies.

import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
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
    link.call({ kind: 'insert', input: accept(sampleDelivery(number)) });
  return { file, link, workers, crashes, insert };
}

test('refuses the operations of a dying worker and continues with a new one', async () => {
  const { file, link, workers, crashes, insert } = setup();
  await link.open();
  const other = new Database(file);
  other.exec('BEGIN IMMEDIATE');
  const lost = insert(1);
  await setImmediate();
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

test('starts a new worker with the next operation if one died idle', async () => {
  const { link, workers, crashes, insert } = setup();
  await link.open();
  await workers[0]?.terminate();
  expect(crashes).toHaveLength(1);

  await insert(1);
  expect(workers).toHaveLength(2);
  await link.close();
});

test('refuses operations that wait for a worker that dies while it opens, instead of trying for ever', async () => {
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

// The SQLite log against the contract of the Records port, and what is specific to SQLite: the answer to a caller is
// written in one batch with the end of its delivery, and the file beside the log shows when its process was last alive.

import { cpSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeRecords } from '../../contract/records-contract.ts';
import { adding, sampleRefusal } from '../../contract/records-samples.ts';
import { accept, NOW, sampleDelivery, sampleId, settlement } from '../../contract/store-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { useFiles } from './files.ts';
import { readRecordedRows } from './recorded-rows.ts';

const { newFile, open } = useFiles();

describeRecords(async () => {
  const file = newFile();
  const { store, records } = await open(file);
  return { store, records, read: async () => readRecordedRows(file) };
});

const TOLD = { deliveryId: sampleId(1), told: 'delivered', status: 200, atMs: NOW };

test('uses no separate message or transaction to record the answers to callers', async () => {
  const batches: number[] = [];
  const { store, records } = await open(newFile(), { onBatch: (size) => batches.push(size) });
  batches.length = 0;
  const delivery = sampleDelivery(1);
  await store.insert(accept(delivery));
  const settled = store.settle(settlement(delivery));
  records.tell(TOLD);
  await settled;
  records.tell({ ...TOLD, deliveryId: sampleId(2) });
  records.tell({ ...TOLD, deliveryId: sampleId(3) });
  await new Promise(setImmediate);
  expect(batches).toEqual([1, 1]);
  await store.insert(accept(sampleDelivery(4)));
  expect(batches).toEqual([1, 1, 3]);
});

test('writes the answers to callers before it closes', async () => {
  const file = newFile();
  const first = await open(file);
  await first.store.insert(accept(sampleDelivery(1)));
  first.records.tell(TOLD);
  await first.store.close();
  const { store } = await open(file);
  const [found] = await store.findDeliveries({ limit: 1 });
  expect(found).toMatchObject({ told: 'delivered', toldStatus: 200, toldAtMs: NOW });
});

test('counts the gap after a crash from the last second in which the process was alive', async () => {
  const file = newFile();
  const clock = new ManualClock(NOW);
  const first = await open(file, { clock });
  await first.records.begin({ wallMs: NOW });
  for (let seconds = 0; seconds < 5; seconds += 1) {
    clock.advance(1_000);
    await first.store.probe();
  }
  const aliveUntilMs = statSync(`${file}.owner.json`).mtimeMs;
  expect(aliveUntilMs).toBe(NOW + 5_000);
  const crashed = copyOf(file);
  const { records } = await open(crashed);
  await records.begin({ wallMs: NOW + 60_000 });
  expect(readRecordedRows(crashed).gaps.at(-1)).toEqual({
    kind: 'stopped',
    beganAtMs: NOW + 5_000,
    endedAtMs: NOW + 60_000,
    unlogged: 0,
  });
});

/** The file as a kill would leave it. */
function copyOf(file: string): string {
  const copy = newFile();
  for (const end of ['', '-wal', '.owner.json']) cpSync(`${file}${end}`, `${copy}${end}`, KEEP);
  return copy;
}

const KEEP = { preserveTimestamps: true };

test('refuses rows that name somebody as plain text', async () => {
  const { records } = await open(newFile());
  for (const name of ['tokenHash', 'handleHash', 'subjectHash', 'addressHash']) {
    const write = adding(sampleRefusal(1, { [name]: 'dQw4w9WgXcQ:APA91b' }));
    await expect(records.writeRefusals(write)).rejects.toThrow('fingerprint');
  }
});

// One process owns a database. If the file disappears or is damaged under a running service, this is noticed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { DatabaseRefusedError } from '../../../src/stores/refused.ts';
import type { Reason } from '../../../src/stores/sqlite/errors.ts';
import { takeOwnership } from '../../../src/stores/sqlite/file/owner.ts';
import { accept, sampleDelivery, settlement } from '../../contract/store-samples.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();
const INSERTING_PROCESS = fileURLToPath(new URL('./inserting-process.ts', import.meta.url));

test('refuses a second process, and says who owns the database until that one is gone', async () => {
  const file = newFile();
  const child = spawn(process.execPath, [INSERTING_PROCESS, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const _ of createInterface(child.stdout)) break;
  const opening = open(file);
  await expect(opening).rejects.toBeInstanceOf(DatabaseRefusedError);
  await expect(opening).rejects.toMatchObject({ kind: 'database_in_use' });
  await expect(opening).rejects.toThrow(
    new RegExp(`in use by the process ${child.pid} since \\d{4}-\\d\\d-\\d\\dT.*NDS_DATABASE`),
  );
  child.kill('SIGKILL');
  await exited;

  await open(file);
});

test('a symbolic link does not let another process have the database', async () => {
  const [file, link] = [newFile(), newFile()];
  symlinkSync(file, link);
  await open(file);
  await expect(open(link)).rejects.toMatchObject({ kind: 'database_in_use' });
});

test('a command after a crash leaves the last sign of life of the service', async () => {
  const file = newFile();
  writeFileSync(file, '');
  writeFileSync(`${file}.owner.json`, '{}');
  utimesSync(`${file}.owner.json`, 1_700_000_000, 1_700_000_000);
  const owner = { pid: 1, since: '2026-11-26T00:00:00.000Z' };
  for (const round of [1, 2]) {
    const lock = takeOwnership(file, owner);
    expect(lock.aliveUntilMs, `round ${round}`).toBe(1_700_000_000_000);
    lock.release();
  }
  const service = takeOwnership(file, owner);
  service.noteAlive(1_700_000_005_000);
  service.release();
  expect(existsSync(`${file}.owner.json`)).toBe(false);
});

test('takes the lock again if its file was removed', async () => {
  const file = newFile();
  const { store } = await open(file);
  for (const name of [`${file}.owner`, `${file}.owner.json`]) rmSync(name);
  await store.probe();
  await expect(open(file)).rejects.toMatchObject({ kind: 'database_in_use' });
});

test('takes no more once another process has the lock whose file was removed', async () => {
  const file = newFile();
  const { store } = await open(file);
  rmSync(`${file}.owner`);
  const { store: other } = await open(file);
  await expect(store.probe()).rejects.toMatchObject({ reason: 'locked' });
  await other.close();
  await store.probe();
});

test('lets the next process have it when the first has closed it, and leaves no owner recorded', async () => {
  const file = newFile();
  const { store } = await open(file);
  expect(JSON.parse(readFileSync(`${file}.owner.json`, 'utf8'))).toMatchObject({
    pid: process.pid,
  });
  await expect(open(file)).rejects.toMatchObject({ kind: 'database_in_use' });
  await store.close();
  expect(existsSync(`${file}.owner.json`)).toBe(false);

  await open(file);
});

test('says that there is another owner even if none was recorded', async () => {
  const file = newFile();
  await open(file);
  writeFileSync(`${file}.owner.json`, '{"pid": 1');

  await expect(open(file)).rejects.toThrow(/in use by another process/);
});

test('does not start if no lock is possible, and says so', async () => {
  const file = newFile();
  mkdirSync(`${file}.owner`);
  const opening = open(file);

  await expect(opening).rejects.toMatchObject({ kind: 'unusable_location' });
  await expect(opening).rejects.toThrow(/^NDS_DATABASE names .*lock on .*cannot be taken/);
});

/** A store with a settled delivery in its file, and the events that its listener got. */
async function setup() {
  const file = newFile();
  const clock = new ManualClock();
  const before = await open(file);
  const deliveries = Array.from({ length: 200 }, (_, number) => sampleDelivery(number));
  await Promise.all(deliveries.map((delivery) => before.store.insert(accept(delivery))));
  await Promise.all(deliveries.map((delivery) => before.store.settle(settlement(delivery))));
  await before.store.close();
  const { store } = await open(file, { clock });
  const heard: Reason[] = [];
  const { promise: told, resolve } = Promise.withResolvers<void>();
  store.onTrouble((reason) => {
    heard.push(reason);
    resolve();
  });
  return { file, clock, store, heard, told };
}

type Damage = (file: string) => void;

const DAMAGES: readonly (readonly [string, Reason, Damage])[] = [
  ['deleted', 'moved', (file) => rmSync(file)],
  ['moved', 'moved', (file) => renameSync(file, `${file}.aside`)],
  [
    'replaced',
    'moved',
    (file) => {
      const bytes = readFileSync(file);
      renameSync(file, `${file}.aside`);
      writeFileSync(file, bytes);
    },
  ],
  ['left without its WAL', 'moved', (file) => rmSync(`${file}-wal`)],
  ['truncated', 'corrupt', (file) => truncateSync(file, 8_192)],
  ['overwritten in one page', 'corrupt', (file) => overwritePages(file, 4, 1)],
];

function overwritePages(file: string, first: number, count: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(count * 4_096, 0xff), 0, count * 4_096, first * 4_096);
  closeSync(descriptor);
}

test.each(DAMAGES)(
  'notices within a second that its file was %s, and takes no more',
  async (_, reason, damage) => {
    const { file, clock, store, heard, told } = await setup();
    damage(file);
    clock.advance(1_000);
    await told;

    expect(heard).toEqual([reason]);
    // The process itself is still alive.
    expect(statSync(`${file}.owner.json`).mtimeMs).toBe(clock.wallMs());
    const insert = store.insert(accept(sampleDelivery(500)));
    await expect(insert).rejects.toMatchObject({ reason });
    await expect(store.probe()).rejects.toMatchObject({ reason });
  },
);

test('confirms no delivery that goes to a file which was deleted a moment ago', async () => {
  const { file, store } = await setup();
  await store.insert(accept(sampleDelivery(500)));
  rmSync(file);

  await expect(store.insert(accept(sampleDelivery(501)))).rejects.toMatchObject({
    reason: 'moved',
  });
});

test('promises no retry from a file that was deleted a moment ago, but records ends', async () => {
  const { file, store } = await setup();
  const [waits, ends] = [sampleDelivery(500), sampleDelivery(501)];
  await Promise.all([waits, ends].map((delivery) => store.insert(accept(delivery))));
  rmSync(file);

  expect(await store.settle(settlement(ends))).toBe(true);
  const queued = { status: 'queued', dueAtMs: waits.receivedAtMs } as const;
  await expect(store.settle(settlement(waits, queued))).rejects.toMatchObject({ reason: 'moved' });
});

test('keeps what was accepted into a WAL that was deleted, even if the process is killed then', async () => {
  const { file, store } = await setup();
  await store.insert(accept(sampleDelivery(500)));
  rmSync(`${file}-wal`);
  await expect(store.insert(accept(sampleDelivery(501)))).rejects.toMatchObject({
    reason: 'moved',
  });

  const leftByTheKill = newFile();
  copyFileSync(file, leftByTheKill);
  const { store: next } = await open(leftByTheKill);
  const found = await next.findDeliveries({ status: 'queued', limit: 9 });
  expect(found.map(({ id }) => id)).toEqual([sampleDelivery(500).id]);
});

test('notices a WAL that was emptied, and starts again with what the file had', async () => {
  const { file, clock, store, heard, told } = await setup();
  await store.insert(accept(sampleDelivery(500)));
  clock.advance(1_000);
  await store.probe();
  truncateSync(`${file}-wal`);
  clock.advance(1_000);
  await told;
  expect(heard).toEqual(['corrupt']);
  for (const number of [501, 502]) {
    await expect(store.insert(accept(sampleDelivery(number)))).rejects.toMatchObject({
      reason: 'corrupt',
    });
  }

  const leftByTheKill = newFile();
  copyFileSync(file, leftByTheKill);
  const { store: next } = await open(leftByTheKill);
  expect(await next.findDeliveries({ status: 'delivered', limit: 300 })).toHaveLength(200);
});

test('notices a WAL that was emptied and has been written to since', async () => {
  const { file, clock, store, heard, told } = await setup();
  const delivery = sampleDelivery(500);
  await store.insert(accept(delivery));
  truncateSync(`${file}-wal`);
  await store.settle(settlement(delivery));
  clock.advance(1_000);
  await told;
  expect(heard).toEqual(['corrupt']);
  await expect(store.insert(accept(sampleDelivery(501)))).rejects.toMatchObject({
    reason: 'corrupt',
  });
});

test('continues when another process emptied the WAL by a checkpoint', async () => {
  const { file, store } = await setup();
  await store.insert(accept(sampleDelivery(500)));
  const other = new Database(file);
  other.pragma('wal_checkpoint(TRUNCATE)');
  expect(statSync(`${file}-wal`).size).toBe(0);
  await store.probe();
  await store.insert(accept(sampleDelivery(501)));
  other.close();
  expect(await store.findDeliveries({ status: 'queued', limit: 9 })).toHaveLength(2);
});

test('continues when the WAL is back at its path', async () => {
  const { file, store } = await setup();
  renameSync(`${file}-wal`, `${file}.aside`);
  await expect(store.probe()).rejects.toMatchObject({ reason: 'moved' });
  renameSync(`${file}.aside`, `${file}-wal`);

  await store.insert(accept(sampleDelivery(500)));
  expect(await store.findDeliveries({ status: 'queued', limit: 9 })).toHaveLength(1);
});

test('continues when the file is back at its path', async () => {
  const { file, store } = await setup();
  renameSync(file, `${file}.aside`);
  await expect(store.probe()).rejects.toMatchObject({ reason: 'moved' });
  renameSync(`${file}.aside`, file);

  await store.insert(accept(sampleDelivery(500)));
  expect(await store.findDeliveries({ status: 'queued', limit: 9 })).toHaveLength(1);
});

test('reports the trouble that a query met', async () => {
  const { file, store, heard } = await setup();
  overwritePages(file, 1, statSync(file).size / 4_096 - 1);
  await expect(store.findDeliveries({ limit: 1 })).rejects.toMatchObject({ reason: 'corrupt' });

  expect(heard).toEqual(['corrupt']);
});

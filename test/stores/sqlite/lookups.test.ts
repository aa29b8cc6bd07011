// Finding deliveries by token and subject where the log is longer than what is looked through row by row.

import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import type { Store } from '../../../src/core/ports/store.ts';
import { prepareLookup } from '../../../src/stores/sqlite/lookups.ts';
import {
  accept,
  NOW,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../../contract/store-samples.ts';
import { useFiles } from './files.ts';

const { newFile, open } = useFiles();
/** Every token gets one in a hundred, every subject one in fifty. */
const tokenOf = (number: number) => sampleFingerprint(`token ${number % 100}`);
const subjectOf = (number: number) => sampleFingerprint(`subject ${number % 50}`);

async function deliver(store: Store, from: number, until: number): Promise<void> {
  for (let first = from; first < until; first += 500) {
    const numbers = Array.from(
      { length: Math.min(500, until - first) },
      (_, index) => first + index,
    );
    const deliveries = numbers.map((number) =>
      sampleDelivery(number, {
        tokenHash: tokenOf(number),
        subjectHash: subjectOf(number),
        receivedAtMs: NOW + number,
      }),
    );
    await Promise.all(deliveries.map((delivery) => store.insert(accept(delivery))));
    await Promise.all(deliveries.map((delivery) => store.settle(settlement(delivery))));
  }
}

async function findIds(store: Store, query: object): Promise<readonly string[]> {
  return (await store.findDeliveries({ limit: 1_000, ...query })).map(({ id }) => id);
}

function idsOf(from: number, until: number, step: number, rest: number): readonly string[] {
  const ids: string[] = [];
  for (let number = from; number < until; number += 1) {
    if (number % step === rest) ids.push(sampleId(number));
  }
  return ids.reverse();
}

test('finds all of a token and of a subject over several buckets and in what was not entered yet', async () => {
  const file = newFile();
  const { store } = await open(file);
  await deliver(store, 1, 18_300);

  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(1, 18_300, 100, 7));
  expect(await findIds(store, { subjectHash: subjectOf(3) })).toEqual(idsOf(1, 18_300, 50, 3));
  expect(await findIds(store, { tokenHash: tokenOf(7), limit: 3 })).toEqual(
    idsOf(1, 18_300, 100, 7).slice(0, 3),
  );
  expect(await findIds(store, { tokenHash: tokenOf(7), status: 'rejected' })).toEqual([]);
  expect(await findIds(store, { tokenHash: tokenOf(53), subjectHash: subjectOf(3) })).toEqual(
    idsOf(1, 18_300, 100, 53),
  );
  const db = new Database(file, { readonly: true });
  const buckets = db.prepare('SELECT DISTINCT bucket FROM lookups ORDER BY 1').pluck().all();
  db.close();
  expect(buckets).toEqual([0, 1]);
});

test('forgets what was pruned, and finds what takes its place', async () => {
  const file = newFile();
  const { store } = await open(file);
  await deliver(store, 1, 17_300);
  const prune = { beforeMs: NOW + 16_900, nowMs: NOW };
  await store.prune({ ...prune, limit: 100_000 });
  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(16_900, 17_300, 100, 7));
  const db = new Database(file, { readonly: true });
  const oldest = () => db.prepare('SELECT min(bucket) FROM lookups').pluck().get();
  expect(oldest()).toBe(1);

  await store.prune({ ...prune, beforeMs: NOW + 20_000, limit: 100_000 });
  expect(oldest()).toBeNull();
  db.close();
  // The numbers of the rows begin anew.
  await deliver(store, 20_000, 21_500);
  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(20_000, 21_500, 100, 7));
});

test('enters a row whose number was given before', async () => {
  const file = newFile();
  const { store } = await open(file);
  await deliver(store, 1, 2_001);
  // The newest rows go first when the clock was set back meanwhile.
  const db = new Database(file);
  db.prepare('UPDATE deliveries SET received_at_ms = 0 WHERE row_id > 1000').run();
  db.close();
  await store.prune({ beforeMs: NOW, nowMs: NOW, limit: 100_000 });
  await deliver(store, 3_000, 5_000);

  const expected = [...idsOf(3_000, 5_000, 100, 7), ...idsOf(1, 1_001, 100, 7)];
  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(expected);
});

test('catches up with a log that has no lookups yet, and finds all of it meanwhile', async () => {
  const file = newFile();
  const first = await open(file);
  await deliver(first.store, 1, 5_001);
  await first.store.close();
  const db = new Database(file);
  db.exec('DELETE FROM lookups; UPDATE lookup_progress SET entered_until = 0');
  const progress = db.prepare('SELECT entered_until FROM lookup_progress').pluck();

  const { store } = await open(file);
  for (const entered of [2_000, 3_000, 4_000, 5_000]) {
    expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(1, 5_001, 100, 7));
    await store.probe();
    expect(progress.get()).toBe(entered);
  }
  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(1, 5_001, 100, 7));
  db.close();
});

test('takes a subject that has the fingerprint of the token', async () => {
  const { store } = await open(newFile());
  const hash = sampleFingerprint('both');
  const both = sampleDelivery(1, { tokenHash: hash, subjectHash: hash });
  await store.insert(accept(both));
  await store.settle(settlement(both));
  await deliver(store, 2, 1_500);
  expect(await findIds(store, { tokenHash: hash })).toEqual([both.id]);
  expect(await findIds(store, { subjectHash: hash })).toEqual([both.id]);
});

test('looks into every bucket by its key and never reads through one', async () => {
  const file = newFile();
  await open(file);
  const db = new Database(file);
  const statements: string[] = [];
  const spying = new Proxy(db, {
    get: (target, name) =>
      name === 'prepare'
        ? (sql: string) => {
            statements.push(sql);
            return target.prepare(sql);
          }
        : Reflect.get(target, name),
  });
  prepareLookup(spying);
  const plans = statements.flatMap((sql) =>
    db
      .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql.replaceAll(/@\w+/g, '1')}`)
      .all()
      .map(({ detail }) => detail),
  );
  db.close();

  expect(statements).toHaveLength(3);
  expect(
    plans.filter((detail) => /^SCAN (?!lookup_progress|CONSTANT)|TEMP B-TREE/.test(detail)),
  ).toEqual([]);
});

test('does not let lookups that find no room undo what makes some', async () => {
  const file = newFile();
  const first = await open(file);
  await deliver(first.store, 1, 3_001);
  await first.store.close();
  const db = new Database(file);
  db.exec('DELETE FROM lookups; UPDATE lookup_progress SET entered_until = 0; VACUUM');
  db.close();

  const { store } = await open(file, { maxFileBytes: statSync(file).size });
  expect(await store.prune({ beforeMs: NOW + 30, nowMs: NOW, limit: 200 })).toBe(29);
  expect(await store.prune({ beforeMs: NOW + 2_501, nowMs: NOW, limit: 100_000 })).toBe(2_471);
  expect(await findIds(store, { tokenHash: tokenOf(7) })).toEqual(idsOf(2_501, 3_001, 100, 7));
});

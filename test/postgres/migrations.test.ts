// Machines that start together, and databases of other versions.

import { describe, expect, test } from 'vitest';
import { readMigrations } from '../../src/stores/migrations.ts';
import {
  accept,
  claimedIds,
  LEASE_MS,
  NOW,
  sampleDelivery,
  sampleId,
} from '../contract/store-samples.ts';
import { KEY_A, KEY_B } from '../stores/sqlite/keys.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newEmptyDatabase, newDatabase, newCopy, open } = useDatabases(server);

  test('is made once by machines that start at the same moment, with one lookup key', async () => {
    const url = await newEmptyDatabase();
    const opened = await Promise.all([1, 2, 3, 4].map(() => open(url)));
    const keys = new Set(opened.map(({ lookupKey }) => Buffer.from(lookupKey).toString('hex')));
    expect(keys.size).toBe(1);
    const applied = await query(url, 'SELECT tag FROM migrations ORDER BY number');
    expect(applied.map(({ tag }) => tag)).toEqual(readMigrations('postgres').map(({ tag }) => tag));
  });

  test('runs on the tables of a newer release, unless the newer release forbids it', async () => {
    const url = await newCopy();
    const next = readMigrations('postgres').length + 1;
    await query(url, `INSERT INTO migrations (number, tag, hash) VALUES (${next}, 'next', 'hash')`);
    await query(url, 'ALTER TABLE deliveries ADD COLUMN added_later text');
    const { store } = await open(url);
    await store.insert(accept(sampleDelivery(1)));
    expect(await store.findDeliveries({ limit: 1 })).toHaveLength(1);

    await query(url, `INSERT INTO schema (min_reader) VALUES (${next})`);
    await expect(open(url)).rejects.toMatchObject({ kind: 'migration_mismatch' });
  });

  test('refuses a database that has other migrations', async () => {
    const url = await newCopy();
    await query(url, `UPDATE migrations SET hash = 'changed' WHERE number = 1`);
    await expect(open(url)).rejects.toMatchObject({
      kind: 'migration_mismatch',
      message: expect.stringContaining('is not the one this version knows'),
    });
  });

  test('is not encrypted again under a new secret while a machine runs under the previous one', async () => {
    const url = await newDatabase();
    const running = await open(url);
    await running.store.insert(accept(sampleDelivery(1)));
    const rotating = { current: KEY_B, previous: [KEY_A] };
    await expect(open(url, { keys: rotating })).rejects.toMatchObject({
      kind: 'database_in_use',
      message: expect.stringContaining('Stop nds on every machine'),
    });
    expect(await claimedIds(running.store, { nowMs: NOW + LEASE_MS })).toEqual([sampleId(1)]);
  });

  test('refuses another secret, and encrypts everything again under a new one', async () => {
    const url = await newDatabase();
    const first = await open(url);
    await first.store.insert(accept(sampleDelivery(1)));
    await first.store.close();
    const current = { current: KEY_B, previous: [] };
    await expect(open(url, { keys: current })).rejects.toMatchObject({ kind: 'unknown_key' });

    const events: unknown[] = [];
    const rotating = { current: KEY_B, previous: [KEY_A] };
    await open(url, { keys: rotating, onEvent: (event) => events.push(event) });
    expect(events).toEqual([{ name: 'key_rotated', resealedRows: 1 }]);
    const { store, lookupKey } = await open(url, { keys: current });
    expect(lookupKey).toEqual(first.lookupKey);
    expect(await claimedIds(store, { nowMs: NOW + LEASE_MS })).toEqual([sampleId(1)]);
  });
});

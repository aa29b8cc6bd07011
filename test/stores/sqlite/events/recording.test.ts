// Events in SQLite against the contract of every adapter, and what is specific to SQLite.

import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { eventStoreContract } from '../../../contract/event-store-contract.ts';
import { NOW } from '../../../contract/store-samples.ts';
import { ENDPOINT_SECRET, sampleEndpoint } from '../../../support/endpoints.ts';
import { useFiles } from '../files.ts';
import { KEY_B, KEYS } from '../keys.ts';

const { newFile, open } = useFiles();

eventStoreContract(() => open(newFile()));

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

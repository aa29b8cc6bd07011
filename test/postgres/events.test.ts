// Events in PostgreSQL against the contract of every adapter, and the order that several machines give them.

import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { digestContract } from '../contract/digest-contract.ts';
import { eventStoreContract } from '../contract/event-store-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { sampleEndpoint } from '../support/endpoints.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  const openNew = async () => await open(await newDatabase());
  eventStoreContract(openNew);
  digestContract(openNew);

  const outage = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;
  const next = { endpointId: 'ep_a', limit: 10 };

  test('passes over no event whose transaction ends after that of a later one', async () => {
    const url = await newDatabase();
    const { events, records } = await open(url);
    await events.putEndpoint(sampleEndpoint());
    const other = new Client({ connectionString: url });
    await other.connect();
    await other.query('BEGIN');
    await other.query(
      `INSERT INTO events (id, at, type) VALUES ('evt_slow', now(), 'provider.up')`,
    );
    await records.recordOutage({ ...outage, beganAtMs: NOW });
    const [first, ...none] = (await events.nextEvents({ ...next, afterRowId: 0 })).events;
    expect([first?.type, none]).toEqual(['provider.down', []]);
    await other.query('COMMIT');
    await other.end();
    const cursor = first?.rowId ?? 0;
    const { events: later } = await events.nextEvents({ ...next, afterRowId: cursor });
    expect(later.map(({ id, rowId }) => [id, rowId])).toEqual([['evt_slow', cursor + 1]]);
  });

  test('lets one machine send to an endpoint, and another go on where it stopped', async () => {
    const url = await newDatabase();
    const [first, second] = [await open(url), await open(url)];
    await first.events.putEndpoint(sampleEndpoint());
    for (const number of [1, 2])
      await second.records.recordOutage({ ...outage, beganAtMs: NOW + number });
    const [told, left] = (await first.events.nextEvents({ ...next, afterRowId: 0 })).events;
    expect(await second.events.nextEvents({ ...next, afterRowId: 0 })).toEqual({ events: [] });
    const attempt = {
      eventId: told?.id ?? '',
      atMs: NOW,
      latencyMs: 1,
      outcome: 'delivered',
    } as const;
    const note = { endpointId: 'ep_a', attempt: { ...attempt, type: 'provider.down' } } as const;
    await first.events.noteAttempt({ ...note, progress: { cursor: 1, refused: 0 } });
    await second.events.noteAttempt({ ...note, progress: { cursor: 2, refused: 0 } });
    await first.store.close();
    expect((await second.events.nextEvents({ ...next, afterRowId: 0 })).events).toEqual([left]);
  });

  test('takes in a backlog in steps that are short enough', async () => {
    const url = await newDatabase();
    const { events } = await open(url);
    await events.putEndpoint(sampleEndpoint());
    await query(
      url,
      `INSERT INTO events (id, at, type)
       SELECT 'evt_' || i, to_timestamp(i), 'provider.up' FROM generate_series(1, 2500) AS i`,
    );
    const { events: found } = await events.nextEvents({ ...next, limit: 5_000, afterRowId: 0 });
    expect([found.length, found.at(-1)?.id]).toEqual([1_000, 'evt_1000']);
    const { progress } = await events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
    expect(progress.cursor).toBe(2_500);
  });

  test('deletes the oldest beyond 100,000 while new ones come', async () => {
    const url = await newDatabase();
    const { events, records } = await open(url);
    await events.putEndpoint(sampleEndpoint({ enabledEvents: ['provider.*'] }));
    await query(
      url,
      `INSERT INTO events (id, at, type, place)
         SELECT 'evt_' || i, to_timestamp(i), 'provider.up', i FROM generate_series(1, 100351) AS i;
       UPDATE counts SET value = 100351 WHERE name = 'events'`,
    );
    await records.recordOutage({ ...outage, beganAtMs: NOW });
    const { events: found, dropped } = await events.nextEvents({ ...next, afterRowId: 0 });
    // Some of them at each of the looks, of which there is one for 256 new events.
    expect(found[0]?.rowId).toBe(258);
    expect(dropped).toEqual({ count: 257, fromMs: 1_000, toMs: 257_000 });
  });
});

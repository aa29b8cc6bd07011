// Events in PostgreSQL against the contract of every adapter, and the order that several machines give them.

import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { digestContract } from '../contract/digest-contract.ts';
import { eventStoreContract } from '../contract/event-store-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { sampleEmailEndpoint, sampleEndpoint } from '../support/endpoints.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  const openNew = async () => await open(await newDatabase());
  eventStoreContract(openNew);
  digestContract(openNew);

  const outage = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;
  const next = { endpointId: 'ep_a', limit: 10 };

  test('skips no event whose transaction ends after that of a later one', async () => {
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

  test('lets one machine send to an endpoint, and another continue where it stopped', async () => {
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

  test('a machine that does not know about a deletion sends nothing, and records nothing', async () => {
    const url = await newDatabase();
    const [first, second] = [await open(url), await open(url)];
    await first.events.putEndpoint(sampleEndpoint());
    await first.records.recordOutage({ ...outage, beganAtMs: NOW });
    const [event] = (await first.events.nextEvents({ ...next, afterRowId: 0 })).events;
    await first.events.putEndpoint(sampleEndpoint({ id: 'ep_b' }));
    await second.events.deleteEndpoint('ep_a');
    for (const { events } of [first, second]) {
      expect(await events.nextEvents({ ...next, afterRowId: 0 })).toEqual({ events: [] });
      expect(await events.nextAlerts({ ...next, afterRowId: 0 })).toEqual([]);
    }
    const attempt = { eventId: event?.id ?? '', type: 'provider.down', atMs: NOW } as const;
    const note = { ...attempt, latencyMs: 1, outcome: 'delivered' } as const;
    await first.events.noteAttempt({ endpointId: 'ep_a', attempt: note });
    expect(await first.events.listAttempts(next)).toEqual([]);
  });

  test('a machine that is asked to go back sends from there, and the other one stops', async () => {
    const url = await newDatabase();
    const [first, second] = [await open(url), await open(url)];
    await first.events.putEndpoint(sampleEndpoint());
    await first.records.recordOutage({ ...outage, beganAtMs: NOW });
    const read = ({ events }: typeof first, afterRowId: number) =>
      events.nextEvents({ ...next, afterRowId });
    expect((await read(first, 0)).events).toHaveLength(1);
    const sentBy = async ({ events }: typeof first) =>
      (await events.listEndpoints()).map(({ isSentElsewhere }) => !isSentElsewhere);
    expect([await sentBy(first), await sentBy(second)]).toEqual([[true], [false]]);
    await second.events.rewind({ endpointId: 'ep_a', sinceMs: NOW });
    expect([await sentBy(first), await sentBy(second)]).toEqual([[false], [true]]);
    expect(await read(first, 1)).toEqual({ events: [] });
    expect((await read(second, 0)).events).toHaveLength(1);
  });

  test('alerts and digest have one sender, and the next one continues where it stopped', async () => {
    const url = await newDatabase();
    const [first, second] = [await open(url), await open(url)];
    await first.events.putEndpoint(sampleEmailEndpoint());
    for (const number of [1, 2])
      await second.records.recordOutage({ ...outage, beganAtMs: NOW + number });
    const mail = { endpointId: 'ep_mail', limit: 10, afterRowId: 0 };
    const [told, left] = await first.events.nextAlerts(mail);
    expect(await second.events.nextAlerts(mail)).toEqual([]);
    expect(await second.events.readDigest('ep_mail')).toBeUndefined();
    const attempt = { eventId: told?.event.id ?? '', type: 'provider.down', latencyMs: 1 } as const;
    await first.events.noteAttempt({
      endpointId: 'ep_mail',
      attempt: { ...attempt, atMs: NOW + 1, outcome: 'delivered' },
      progress: { cursor: 1, refused: 0 },
    });
    await first.store.close();
    const pending = [{ ...left, toldAtMs: NOW + 1 }];
    expect(await second.events.nextAlerts(mail)).toEqual(pending);
    expect(await second.events.readDigest('ep_mail')).toMatchObject([{ count: 2 }]);
    // As the sender it reads from the given place, because alerts that it held back may be before the cursor.
    expect(await second.events.nextAlerts(mail)).toHaveLength(2);
  });

  test('loses no count and locks out no machine while machines count and mail the same kinds', async () => {
    const url = await newDatabase();
    const machines = [await open(url), await open(url)] as const;
    const endpoints = ['ep_x', 'ep_y'] as const;
    for (const id of endpoints) await machines[0].events.putEndpoint(sampleEmailEndpoint({ id }));
    const counted: Record<string, number> = { ep_x: 0, ep_y: 0 };
    const tell = async (endpointId: 'ep_x' | 'ep_y', { events }: (typeof machines)[number]) => {
      const digested = (await events.readDigest(endpointId)) ?? [];
      const attempt = { eventId: 'evt', type: 'mail.digest', atMs: NOW, latencyMs: 1 } as const;
      const note = { endpointId, attempt: { ...attempt, outcome: 'delivered' as const }, digested };
      await events.noteAttempt(note);
      const all = digested.reduce((sum, { count }) => sum + count, 0);
      counted[endpointId] = (counted[endpointId] ?? 0) + all;
    };
    const facts = Array.from({ length: 60 }, (_, number) => {
      const reason = number % 3 === 0 ? 'timeout' : `http_50${number % 5}`;
      const times = { beganAtMs: NOW + number, endedAtMs: NOW + number + 1 };
      return { ...outage, ...times, reason } as const;
    });
    const work = machines.map(async ({ records }, index) => {
      const machine = machines[index] ?? machines[0];
      for (const [number, fact] of facts.entries()) {
        const both = [
          records.recordOutage(fact),
          records.recordOutage({ ...fact, provider: 'apns' }),
        ];
        await Promise.all(both);
        if (number % 7 === index) await tell(endpoints[index] ?? 'ep_x', machine);
      }
    });
    await Promise.all(work);
    for (const [index, id] of endpoints.entries()) await tell(id, machines[index] ?? machines[0]);
    // Two machines, two providers, down and up.
    expect(counted).toEqual({ ep_x: 8 * facts.length, ep_y: 8 * facts.length });
    expect(await query(url, 'SELECT * FROM digest_counts')).toEqual([]);
    for (const { store } of machines) await store.close();
    const deadlocks = 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()';
    expect(await query(url, deadlocks)).toEqual([{ deadlocks: '0' }]);
  });

  test('reads a backlog in steps that are short enough', async () => {
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
    // Not all at once: there is one look for 256 new events, and each deletes some.
    expect(found[0]?.rowId).toBe(258);
    expect(dropped).toEqual({ count: 257, fromMs: 1_000, toMs: 257_000 });
  });
});

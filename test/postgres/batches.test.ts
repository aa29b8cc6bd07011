// Which operations share a transaction, and how one bad row affects the others.

import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { accept, NOW, sampleDelivery, sampleId, settlement } from '../contract/store-samples.ts';
import { sampleEndpoint } from '../support/endpoints.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  test('sends the first at once, and those that come meanwhile together', async () => {
    const sizes: number[] = [];
    const { store } = await open(await newDatabase(), { onBatch: (size) => sizes.push(size) });
    const first = store.insert(accept(sampleDelivery(0)));
    await new Promise(setImmediate);
    const others = [1, 2, 3].map((number) => store.insert(accept(sampleDelivery(number))));
    await Promise.all([first, ...others]);
    expect(sizes).toEqual([1, 3]);
  });

  test('does not wait for a batch that hangs', async () => {
    const url = await newDatabase();
    const clock = new ManualClock(NOW);
    let batches = 0;
    const onBatch = () => {
      batches += 1;
    };
    const { store } = await open(url, { clock, onBatch });
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    await store.insert(accept(sampleDelivery(1)));
    await other.query(`BEGIN; SELECT FROM queue FOR UPDATE`);
    const hangs = store.settle(settlement(sampleDelivery(1)));
    while (batches < 2) await new Promise(setImmediate);
    const waits = store.settle(settlement(sampleDelivery(2)));
    await new Promise(setImmediate);
    clock.advance(19);
    expect(batches).toBe(2);
    clock.advance(1);
    expect(batches).toBe(3);
    expect(await waits).toBe(false);
    await other.query('COMMIT');
    await other.end();
    expect(await hangs).toBe(true);
  });

  test('writes the other operations of a batch if PostgreSQL refuses one', async () => {
    const { store } = await open(await newDatabase());
    const bad = sampleDelivery(2);
    const withNul = { ...bad, notification: { ...bad.notification, type: 'a\0b' } };
    const written = await Promise.allSettled(
      [sampleDelivery(1), withNul, sampleDelivery(3)].map((one) => store.insert(accept(one))),
    );
    expect(written.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.findDeliveries({ limit: 9 })).map(({ id }) => id)).toEqual(
      [3, 1].map(sampleId),
    );
  });

  test('writes the largest batch within the time limit of a statement, with and without events for an endpoint', async () => {
    const sizes: number[] = [];
    const url = await newDatabase();
    const { store, events } = await open(url, { onBatch: (size) => sizes.push(size) });
    for (const from of [0, 500, 1_000]) {
      const deliveries = Array.from({ length: 500 }, (_, index) => sampleDelivery(from + index));
      await Promise.all(deliveries.map((one) => store.insert(accept(one))));
      const settled = await Promise.all(deliveries.map((one) => store.settle(settlement(one))));
      expect(settled).toEqual(deliveries.map(() => true));
      expect(sizes.splice(0)).toEqual([500, 500]);
      // So that the planner has the statistics of a running service: many deliveries, an empty queue.
      await query(url, 'VACUUM ANALYZE');
      if (from > 0)
        await events.putEndpoint(sampleEndpoint({ enabledEvents: ['delivery.delivered'] }));
    }
    const told = await events.nextEvents({ endpointId: 'ep_a', afterRowId: 0, limit: 1_000 });
    expect(told.events).toHaveLength(500);
  });

  test('settles a delivery whose row is still being written', async () => {
    const { store } = await open(await newDatabase());
    const inserted = store.insert(accept(sampleDelivery(1)));
    expect(await store.settle(settlement(sampleDelivery(1)))).toBe(true);
    await inserted;
  });

  test('takes the same insert and settlement twice, as after a lost connection', async () => {
    const url = await newDatabase();
    const { store } = await open(url);
    for (let time = 0; time < 2; time += 1) await store.insert(accept(sampleDelivery(1)));
    const retry = { status: 'queued', dueAtMs: NOW + 1_000 } as const;
    for (let time = 0; time < 2; time += 1) {
      expect(await store.settle(settlement(sampleDelivery(1), retry))).toBe(true);
    }
    await store.insert(accept(sampleDelivery(2)));
    for (let time = 0; time < 2; time += 1) {
      expect(await store.settle(settlement(sampleDelivery(2)))).toBe(true);
    }
    expect(await store.findDeliveries({ limit: 9 })).toHaveLength(2);
    expect(await query(url, 'SELECT count(*) FROM attempts')).toEqual([{ count: '2' }]);
  });
});

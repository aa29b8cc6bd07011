// Machines that share one database: what a dead one left is taken over, and one that was thought dead sends nothing more.
// Every machine has a clock of its own, and one whose clock stands still is one that was stopped.

import { describe, expect, test } from 'vitest';
import type { PostgresStoreOptions } from '../../src/stores/postgres/store.ts';
import {
  accept,
  claim,
  claimedIds,
  LEASE_MS,
  NOW,
  sampleDelivery,
  sampleId,
  settlement,
  wait,
} from '../contract/store-samples.ts';
import { sampleEndpoint } from '../support/endpoints.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  async function machine(url: string, options: Partial<PostgresStoreOptions> = {}) {
    const clock = new ManualClock(NOW);
    const taken: number[] = [];
    const onTakenOver: PostgresStoreOptions['onTakenOver'] = ({ deliveries }) =>
      void taken.push(deliveries);
    const opened = await open(url, { clock, onTakenOver, ...options });
    const beatOf = async () => {
      const rows = await query(url, `SELECT beat FROM nodes WHERE id = '${opened.owner}'`);
      return Number(rows[0]?.beat ?? -1);
    };
    /** Seconds in which this machine beats and looks at the others. */
    const live = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        const before = await beatOf();
        clock.advance(1_000);
        while ((await beatOf()) === before) await opened.store.probe();
      }
    };
    return { ...opened, clock, live, taken };
  }

  const lease = { leaseUntilMs: NOW + 3_600_000 };

  test('takes over what a machine left that stopped, once, and its late writes are refused', async () => {
    const url = await newDatabase();
    const dead = await machine(url);
    const alive = await machine(url);
    for (const number of [1, 2]) {
      const accepted = accept(sampleDelivery(number), { owner: dead.owner, ...lease });
      await dead.store.insert(accepted);
    }
    await alive.live(6);
    expect(await claimedIds(alive.store)).toEqual([]);
    await alive.live(2);
    while (alive.taken.length === 0) await alive.store.probe();
    expect(alive.taken).toEqual([2]);

    const { deliveries } = await alive.store.claimDue(
      claim({ owner: alive.owner, nowMs: alive.clock.nowMs(), leaseUntilMs: NOW + 60_000 }),
    );
    expect(deliveries.map(({ id, interrupted }) => [id, interrupted])).toEqual([
      [sampleId(1), true],
      [sampleId(2), true],
    ]);
    const late = settlement(sampleDelivery(1), { status: 'delivered' }, { owner: dead.owner });
    expect(await dead.store.settle(late)).toBe(false);
    const byHolder = settlement(sampleDelivery(1), undefined, { owner: alive.owner });
    expect(await alive.store.settle(byHolder)).toBe(true);
    const names = () => query(url, 'SELECT id FROM nodes');
    while ((await names()).length > 1) await alive.store.probe();
    expect(await names()).toEqual([{ id: alive.owner }]);
  });

  test('a machine that was stopped claims nothing before it has beaten again, and then as a new one', async () => {
    const url = await newDatabase();
    const stopped = await machine(url);
    const alive = await machine(url);
    await wait(alive.store, 1, NOW);
    await alive.live(8);
    while ((await query(url, 'SELECT id FROM nodes')).length > 1) await alive.store.probe();

    const wake = () => stopped.store.claimDue(claim({ owner: stopped.owner, nowMs: NOW + 8_000 }));
    // Its clock stood still, so it thinks that it is fresh: the database knows better.
    expect(stopped.store.mayRetry()).toBe(true);
    expect((await wake()).deliveries).toEqual([]);
    await stopped.live(1);
    expect((await wake()).deliveries).toHaveLength(1);
  });

  test('takes over the endpoints of a machine that stopped, where that one was', async () => {
    const url = await newDatabase();
    const [dead, alive] = [await machine(url), await machine(url)];
    await dead.events.putEndpoint(sampleEndpoint());
    for (const beganAtMs of [NOW, NOW + 1]) {
      const outage = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;
      await alive.records.recordOutage({ ...outage, beganAtMs });
    }
    const next = { endpointId: 'ep_a', afterRowId: 0, limit: 9 };
    const [told, left] = (await dead.events.nextEvents(next)).events;
    const attempt = { eventId: told?.id ?? '', type: 'provider.down', atMs: NOW } as const;
    await dead.events.noteAttempt({
      ...{ endpointId: 'ep_a', attempt: { ...attempt, latencyMs: 1, outcome: 'delivered' } },
      progress: { cursor: 1, refused: 0 },
    });
    await alive.live(5);
    expect((await alive.events.nextEvents(next)).events).toEqual([]);
    await alive.live(3);
    while ((await query(url, 'SELECT id FROM nodes')).length > 1) await alive.store.probe();
    expect((await alive.events.nextEvents(next)).events).toEqual([left]);
    await dead.live(1);
    expect((await dead.events.nextEvents(next)).events).toEqual([]);
  });

  test('a machine whose beats do not arrive starts no retry', async () => {
    const url = await newDatabase();
    const { store, clock, owner } = await machine(url);
    await wait(store, 1, NOW);
    expect(store.mayRetry()).toBe(true);
    await query(url, 'ALTER TABLE nodes RENAME TO gone');
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1_000);
      await store.probe();
    }
    expect(store.mayRetry()).toBe(false);
    const request = claim({ owner, nowMs: clock.nowMs() });
    expect(await store.claimDue(request)).toEqual({
      deliveries: [],
      nextDueAtMs: clock.nowMs() + 1_000,
    });
    await query(url, 'ALTER TABLE gone RENAME TO nodes');
  });

  test('leaves the leases of the living alone when another machine starts', async () => {
    const url = await newDatabase();
    const first = await machine(url);
    await first.store.insert(accept(sampleDelivery(1), { owner: first.owner, ...lease }));
    await first.store.insert(accept(sampleDelivery(2), { owner: 'gone', ...lease }));
    const second = await machine(url);
    expect(await second.store.recover({ nowMs: NOW })).toBe(2);
    expect(await claimedIds(second.store, { nowMs: NOW })).toEqual([sampleId(2)]);
    expect(
      await first.store.settle(settlement(sampleDelivery(1), undefined, { owner: first.owner })),
    ).toBe(true);
  });

  test('leaves no name behind when it stops, unless it leases something', async () => {
    const url = await newDatabase();
    const one = await machine(url);
    const other = await machine(url);
    await one.store.insert(accept(sampleDelivery(1), { owner: one.owner, ...lease }));
    await Promise.all([one.store.close(), other.store.close()]);
    expect(await query(url, 'SELECT id FROM nodes')).toEqual([{ id: one.owner }]);
  });

  test('machines whose clocks differ agree on when something is due', async () => {
    const url = await newDatabase();
    const now = Date.now();
    const one = await machine(url, { clock: new ManualClock(now) });
    const ahead = await machine(url, { clock: new ManualClock(now + 5_000_000) });
    const delivery = sampleDelivery(1, { receivedAtMs: now, expiresAtMs: now + 60_000 });
    await one.store.insert(accept(delivery, { leaseUntilMs: now + LEASE_MS }));
    const ask = (nowMs: number) => ahead.store.claimDue(claim({ owner: ahead.owner, nowMs }));
    const early = await ask(now + 5_000_000 + LEASE_MS - 500);
    expect(early.deliveries).toEqual([]);
    const { deliveries } = await ask(now + 5_000_000 + LEASE_MS + 500);
    expect(deliveries).toHaveLength(1);
    expect(Math.abs((deliveries[0]?.expiresAtMs ?? 0) - (now + 5_060_000))).toBeLessThan(1_000);
  });
});

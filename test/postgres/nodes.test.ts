// Machines that share one PostgreSQL against the contract of every store that several share.

import { describe, expect, test } from 'vitest';
import { sharedStoreContract } from '../contract/shared-store-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { sampleEndpoint } from '../support/endpoints.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  /** If its clock stands still, it counts as a machine that was stopped. */
  async function machine(url: string, clock = new ManualClock(NOW)) {
    const taken: number[] = [];
    const onTakenOver = ({ deliveries }: { deliveries: number }) => void taken.push(deliveries);
    let gone = 0;
    const onGone = () => {
      gone += 1;
    };
    const opened = await open(url, { clock, onTakenOver, onGone });
    const { store, owner } = opened;
    const beatOf = async () => {
      const rows = await query(url, `SELECT beat FROM nodes WHERE id = '${owner}'`);
      return Number(rows[0]?.beat ?? -1);
    };
    /** For this many seconds the machine beats and watches the others. */
    const live = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) {
        const before = await beatOf();
        clock.advance(1_000);
        while ((await beatOf()) === before) await store.probe();
      }
    };
    return {
      ...{ ...opened, clock, taken, live },
      get gone() {
        return gone;
      },
    };
  }

  sharedStoreContract(async () => {
    const url = await newDatabase();
    return {
      machine: (clock) => machine(url, clock),
      names: async () => (await query(url, 'SELECT id FROM nodes')).map(({ id }) => String(id)),
      async breakBeats() {
        await query(url, 'ALTER TABLE nodes RENAME TO gone');
        return async () => void (await query(url, 'ALTER TABLE gone RENAME TO nodes'));
      },
    };
  });

  test('takes over the endpoints of a stopped machine, at the place where it was', async () => {
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
  });
});

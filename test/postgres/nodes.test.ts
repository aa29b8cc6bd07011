// Machines that share one PostgreSQL against the contract of every store that several share.

import { describe } from 'vitest';
import { sharedStoreContract } from '../contract/shared-store-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { query, SERVERS, useDatabases } from './databases.ts';

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  sharedStoreContract(async () => {
    const url = await newDatabase();
    return {
      async machine(clock = new ManualClock(NOW)) {
        const taken: number[] = [];
        const onTakenOver = ({ deliveries }: { deliveries: number }) => void taken.push(deliveries);
        const { store, owner } = await open(url, { clock, onTakenOver });
        const beatOf = async () => {
          const rows = await query(url, `SELECT beat FROM nodes WHERE id = '${owner}'`);
          return Number(rows[0]?.beat ?? -1);
        };
        const live = async (seconds: number) => {
          for (let second = 0; second < seconds; second += 1) {
            const before = await beatOf();
            clock.advance(1_000);
            while ((await beatOf()) === before) await store.probe();
          }
        };
        return { store, owner, clock, taken, live };
      },
      names: async () => (await query(url, 'SELECT id FROM nodes')).map(({ id }) => String(id)),
      async breakBeats() {
        await query(url, 'ALTER TABLE nodes RENAME TO gone');
        return async () => void (await query(url, 'ALTER TABLE gone RENAME TO nodes'));
      },
    };
  });
});

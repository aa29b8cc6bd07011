// The model of a store that several machines share, against the contracts that PostgreSQL passes, so that results of
// the simulation hold for PostgreSQL, too.

import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { sharedStoreContract } from '../contract/shared-store-contract.ts';
import { storeContract } from '../contract/store-contract.ts';
import { NOW } from '../contract/store-samples.ts';
import { turn } from './intercept-store.ts';
import { ManualClock } from './manual-clock.ts';
import { SharedDatabase } from './shared-database.ts';
import { joinMachine, type Link } from './shared-machine.ts';

storeContract(async () => {
  const clock = new ManualClock(NOW);
  return (await joinMachine(new SharedDatabase(() => NOW), { id: 'one', clock })).store;
});

sharedStoreContract(async () => {
  const database = new SharedDatabase(() => Date.now());
  let isBroken = false;
  const link: Link = (name, statement) => {
    if (isBroken && name === 'nodes') throw new StoreUnavailableError('unreachable');
    return statement();
  };
  let machines = 0;
  return {
    async machine(clock = new ManualClock(NOW)) {
      machines += 1;
      const taken: number[] = [];
      const onTakenOver = ({ deliveries }: { deliveries: number }) => void taken.push(deliveries);
      const id = `machine ${machines}`;
      let gone = 0;
      const onGone = () => {
        gone += 1;
      };
      const watched = { id, clock, link, onTakenOver, onGone };
      const { store, owner } = await joinMachine(database, watched);
      const live = async (seconds: number) => {
        for (let second = 0; second < seconds; second += 1) {
          clock.advance(1_000);
          await turn();
        }
      };
      return {
        ...{ store, owner, clock, taken, live },
        get gone() {
          return gone;
        },
      };
    },
    names: async () => [...database.nodes.keys()],
    async breakBeats() {
      isBroken = true;
      return async () => {
        isBroken = false;
      };
    },
  };
});

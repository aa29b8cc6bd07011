// The port to what the log keeps beside deliveries.

import type { Records } from '../../../core/ports/records.ts';
import { transact as retried } from '../conflicts.ts';
import type { Run } from '../database.ts';
import type { Parts } from '../store.ts';
import { begin, end, pruneRecords, recordGap, recordOutage } from './outages.ts';
import { trimRefusals, writeRefusals } from './refusals.ts';
import type { Tellings } from './tellings.ts';

export function createRecords({ database, nodes }: Parts, tellings: Tellings): Records {
  const transact = <Result>(work: (run: Run) => Promise<Result>) => retried(database, work);

  return {
    tell: (told) => tellings.tell(told),
    writeRefusals: (write) =>
      transact(async (run) => {
        await tellings.ride(run);
        return await writeRefusals(run, write);
      }),
    trimRefusals: (options) => transact((run) => trimRefusals(run, options)),
    recordOutage: (outage) => transact((run) => recordOutage(run, outage, nodes.id)),
    recordGap: (gap) => transact((run) => recordGap(run, gap)),
    begin: (options) => transact((run) => begin(run, { ...options, node: nodes.id })),
    end: (options) => transact((run) => end(run, { ...options, node: nodes.id })),
    prune: (options) => transact((run) => pruneRecords(run, options)),
  };
}

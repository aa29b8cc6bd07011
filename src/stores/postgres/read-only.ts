// The log for commands that only read, beside the machines that share it: no migration, no row of its own in `nodes`, and
// the key stays the one that the database is under.

import type { Clock } from '../../core/ports/clock.ts';
import type { ReadableLog } from '../../core/ports/readable-log.ts';
import type { Keys } from '../sealing/keys.ts';
import { Database } from './database.ts';
import { refusalOf } from './errors.ts';
import { findKeys } from './keys.ts';
import { countPage } from './log/count.ts';
import { createFollow } from './log/follow.ts';
import { gather } from './log/gather.ts';
import { checkMigrations } from './migrations.ts';
import { prepareSearch } from './operations/search.ts';
import { Times } from './times.ts';

/** Rejects with a `DatabaseRefusedError`, whose message says what the operator must do. */
export async function openReadOnly(options: {
  readonly url: string;
  readonly keys: Keys;
  readonly clock: Clock;
}): Promise<ReadableLog> {
  const { url, keys, clock } = options;
  const database = new Database({ url, clock });
  const opening = database.transaction(async (run) => {
    await checkMigrations(run, url);
    return await findKeys(run, keys, url);
  });
  const { sealer, lookupKey } = await opening.catch(async (error: unknown) => {
    await database.close();
    throw refusalOf(url, error);
  });
  // A command that ends has no service time: times are the database's.
  const reading = { sealer, times: new Times(clock) };
  return {
    lookupKey,
    findDeliveries: prepareSearch(database),
    gather: (question) => database.transaction((run) => gather(run, question, reading)),
    countPage: (page) => database.transaction((run) => countPage(run, page)),
    follow: createFollow(database),
    close: () => database.close(),
  };
}

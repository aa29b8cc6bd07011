// Below what a command reads of the log: while the database takes no rows, the newest calls are missing in it.

import type { Environment } from '../config/config.ts';
import { describeSickStore } from '../core/finding/nothing-verdict.ts';
import { wrap } from '../core/finding/wrap.ts';
import { readServiceState } from './operate/reach.ts';

/** Empty if the database is well, or no service can be asked. */
export async function sickStoreNote(environment: Environment): Promise<string> {
  const state = await readServiceState(environment);
  const since = state === 'hangs' ? undefined : state?.checks.store?.since;
  return since === undefined ? '' : `${wrap(describeSickStore(Date.parse(since)), 0)}\n`;
}

// Below what a command reads of the log: while the service hangs or its database takes no rows, the newest calls are
// missing in it.

import type { Environment } from '../config/config.ts';
import { describeSickStore } from '../core/finding/nothing-verdict.ts';
import { wrap } from '../core/finding/wrap.ts';
import { readServiceState } from './operate/reach.ts';

/** What a sign of life in the file cannot tell from a stop. */
export const HANGS =
  'nds runs and does not answer (`nds doctor` says what to do), so the newest calls may be missing.';

/** Empty if the service answers and its database is well, or if no service can be asked. */
export async function serviceNote(environment: Environment): Promise<string> {
  const state = await readServiceState(environment);
  if (state === 'hangs') return `${wrap(HANGS, 0)}\n`;
  const since = state?.checks.store?.since;
  return since === undefined ? '' : `${wrap(describeSickStore(Date.parse(since)), 0)}\n`;
}

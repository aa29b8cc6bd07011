// The fingerprints under which the database knows a token, computed here, so that the token never leaves this process.

import { createSystemIds } from '../../service/system.ts';
import type { Context } from '../context.ts';
import { findLog } from '../read-log.ts';
import { fingerprintsOf } from './addressee.ts';

/** The fingerprints of a token in each of these apps. */
export async function tokenFingerprints(
  token: string,
  apps: readonly string[],
  { environment, clock }: Context,
): Promise<readonly string[]> {
  const log = await findLog(environment).open();
  await log.close();
  const { fingerprint } = createSystemIds(clock, log.lookupKey);
  return apps.flatMap((app) => fingerprintsOf(token, { app, fingerprint }));
}

// The fingerprints under which the database knows a token, computed here, so that the token goes nowhere.

import { createSystemIds } from '../../service/system.ts';
import { openReadOnly } from '../../stores/sqlite/read-only.ts';
import type { Context } from '../context.ts';
import { keysOf, readDatabaseSettings, requireFile } from '../database/database-settings.ts';
import { fingerprintsOf } from './addressee.ts';

export function tokenFingerprints(
  token: string,
  app: string,
  { environment, clock }: Context,
): readonly string[] {
  const settings = readDatabaseSettings(environment);
  requireFile(settings.file);
  const { lookupKey, close } = openReadOnly({ file: settings.file, keys: keysOf(settings) });
  close();
  const { fingerprint } = createSystemIds(clock, lookupKey);
  return fingerprintsOf(token, { app, fingerprint });
}

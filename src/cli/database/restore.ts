// `nds restore FILE`: replaces the database with a backup, while no service runs.

import { resolve } from 'node:path';
import { inspectDatabase } from '../../stores/sqlite/file/inspect.ts';
import { restoreDatabase } from '../../stores/sqlite/file/restore.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { lines } from './check.ts';
import { keysOf, readDatabaseSettings, requireOwnUser } from './database-settings.ts';

/** What to do over PostgreSQL. */
const INSTEAD = 'pg_restore brings back what pg_dump copied, while no service runs on any machine';

/** Returns 0, or 1 if the backup cannot be used; then nothing was changed. */
export function restore(
  file: string,
  { json = false }: { readonly json?: boolean },
  { environment, clock }: Context,
): number {
  const settings = readDatabaseSettings(environment, INSTEAD);
  requireOwnUser(settings.file);
  const backup = resolve(file);
  const checks = inspectDatabase(backup, keysOf(settings));
  if (checks.some(({ fault }) => fault !== undefined)) {
    const refused = { restored: false, checks };
    print(json ? `${JSON.stringify(refused)}\n` : `${lines(checks)}Nothing was changed.\n`);
    return 1;
  }
  const since = new Date(clock.wallMs()).toISOString();
  const aside = restoreDatabase({
    backup,
    file: settings.file,
    owner: { pid: process.pid, since },
    stamp: since.replaceAll(/[-:]|\.\d+/g, ''),
  });
  if (json) {
    print(`${JSON.stringify({ restored: true, file: resolve(settings.file), kept: aside })}\n`);
    return 0;
  }
  print(`${resolve(settings.file)} is what ${backup} holds.\n`);
  if (aside !== undefined) print(`What it was before is ${aside}.\n`);
  print('Devices and tokens that were removed since the backup are known again. Start nds.\n');
  return 0;
}

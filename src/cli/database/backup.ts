// `nds backup FILE`: copies the database, whether or not the service runs.

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from '../../config/config.ts';
import { writeBackup } from '../../stores/sqlite/file/backup.ts';
import { print } from '../print.ts';
import { readDatabaseSettings, requireFile } from './database-settings.ts';

const MIB = 1_048_576;

/** What to do over PostgreSQL. */
const INSTEAD = 'pg_dump copies a PostgreSQL while the services run';

export function backup(
  file: string,
  { json = false }: { readonly json?: boolean },
  environment: Environment,
): void {
  const settings = readDatabaseSettings(environment, INSTEAD);
  requireFile(settings.file);
  const path = resolve(file);
  writeBackup(settings.file, path);
  const { size } = statSync(path);
  const secret = settings.configuredSecret === undefined ? '.secret file' : 'NDS_SECRET';
  if (json) {
    print(`${JSON.stringify({ file: path, bytes: size, secret_included: false })}\n`);
    return;
  }
  print(
    `${path}: ${(size / MIB).toFixed(1)} MiB, readable by its owner alone.\n` +
      `The secret is not in it. Keep ${secret} in another place: a backup is worth\n` +
      'nothing without it, and with it everything in the backup can be read.\n',
  );
}

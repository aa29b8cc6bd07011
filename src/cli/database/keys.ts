// `nds keys rotate`: encrypts the whole database under another secret, while no service runs. A start with a new
// NDS_SECRET does the same.

import { realpathSync } from 'node:fs';
import { hasMadeSecret, replaceMadeSecret, type Secrets } from '../../config/secret.ts';
import { counted } from '../../core/counted.ts';
import { openKeys } from '../../stores/sqlite/file/keys.ts';
import { openWriting } from '../../stores/sqlite/file/open-database.ts';
import { takeOwnership } from '../../stores/sqlite/file/owner.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import {
  type DatabaseSettings,
  keysOf,
  readDatabaseSettings,
  requireFile,
  requireOwnUser,
} from './database-settings.ts';

const BUSY_TIMEOUT_MS = 250;
/**
 * What to do over PostgreSQL. A machine that still runs under the earlier secret could read nothing after a rotation,
 * and other machines could not read its rows.
 */
const INSTEAD =
  'a service does it at its start. Stop the service on every machine, set NDS_SECRET_PREVIOUS to the present NDS_SECRET and ' +
  'NDS_SECRET to a new one everywhere, start one machine, and the others when it says `key_rotated`; then remove ' +
  'NDS_SECRET_PREVIOUS';

/** Throws a `DatabaseRefusedError` while a service owns the database, and for secrets that do not fit. */
export function rotateKeys(
  { json = false }: { readonly json?: boolean },
  { environment, clock }: Context,
): void {
  const settings = readDatabaseSettings(environment, INSTEAD);
  requireFile(settings.file);
  requireOwnUser(settings.file);
  const since = new Date(clock.wallMs()).toISOString();
  const lock = takeOwnership(settings.file, { pid: process.pid, since });
  try {
    const resealedRows = rotate(settings);
    if (json) print(`${JSON.stringify({ rotated: resealedRows !== undefined, resealedRows })}\n`);
    else print(wordsFor(settings, resealedRows));
  } finally {
    lock.release();
  }
}

/** How many rows are under the new key now; undefined if the database was under it already. */
function rotate(settings: DatabaseSettings): number | undefined {
  const { file, configuredSecret } = settings;
  if (configuredSecret === undefined && hasMadeSecret(file)) {
    let rows: number | undefined;
    replaceMadeSecret(file, (secrets) => {
      rows = reseal(file, secrets);
    });
    return rows;
  }
  return reseal(file, keysOf(settings));
}

function reseal(file: string, secrets: Secrets): number | undefined {
  const path = realpathSync(file);
  const db = openWriting({ file: path, busyTimeoutMs: BUSY_TIMEOUT_MS });
  try {
    return openKeys(db, secrets, path).resealedRows;
  } finally {
    db.close();
  }
}

function wordsFor({ configuredSecret }: DatabaseSettings, rows: number | undefined): string {
  if (configuredSecret === undefined) {
    return `${counted(rows ?? 0, 'row is', 'rows are')} encrypted by a new secret in the .secret file beside the database.\n`;
  }
  if (rows !== undefined) {
    return (
      `${counted(rows, 'row is', 'rows are')} encrypted by the present NDS_SECRET.\n` +
      'Remove NDS_SECRET_PREVIOUS, and the .secret file if there is one.\n'
    );
  }
  return (
    'The database is under the present NDS_SECRET already. To replace it:\n' +
    '1. NDS_SECRET_PREVIOUS = the present NDS_SECRET\n' +
    '2. NDS_SECRET = a new one, such as `openssl rand -base64 32` prints\n' +
    '3. restart the service, or stop it and run this command\n' +
    '4. remove NDS_SECRET_PREVIOUS\n'
  );
}

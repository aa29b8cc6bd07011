// `nds migrate-database FILE`: copies the log and the devices of an SQLite file into the empty PostgreSQL that NDS_DATABASE
// names, while no service runs.

import { ConfigError, type Environment, readSettings } from '../../config/config.ts';
import { isServer, showPath } from '../../config/files.ts';
import { findSecrets, loadSecrets } from '../../config/secret.ts';
import { type CopyProgress, copyDatabase } from '../../stores/postgres/copy/copy-database.ts';
import { openCopySource } from '../../stores/sqlite/file/copy-source.ts';
import { takeOwnership } from '../../stores/sqlite/file/owner.ts';
import type { Context } from '../context.ts';
import { print } from '../print.ts';
import { faultOfFile, requireOwnUser } from './database-settings.ts';

const TELL_EVERY_ROWS = 100_000;

/**
 * May be interrupted, and continues when it is run again. Rejects with a `DatabaseRefusedError` while a service owns
 * the file, and for a target that is not empty.
 */
export async function migrateDatabase(
  file: string,
  { json = false }: { readonly json?: boolean },
  { environment, clock }: Context,
): Promise<void> {
  const { database, secret, previousSecrets } = readTarget(environment);
  const fault = faultOfFile(file);
  if (fault !== undefined) throw new ConfigError([`${showPath(file)} ${fault}`]);
  requireOwnUser(file);
  const since = new Date(clock.wallMs()).toISOString();
  const lock = takeOwnership(file, { pid: process.pid, since });
  try {
    const known = { configured: secret, previous: previousSecrets };
    const source = openCopySource(file, findSecrets({ ...known, databaseFile: file }));
    try {
      const keys = loadSecrets(known);
      const onProgress = json ? undefined : tellProgress;
      const counts = await copyDatabase({ url: database, keys, clock, source, onProgress });
      if (json) print(`${JSON.stringify({ copied: true, tables: Object.fromEntries(counts) })}\n`);
      else print(wordsFor(file, counts));
    } finally {
      source.close();
    }
  } finally {
    lock.release();
  }
}

interface Target {
  readonly database: string;
  readonly secret: string;
  readonly previousSecrets: readonly string[];
}

/** The database and secret with which the machines will be started. Throws a `ConfigError`. */
function readTarget(environment: Environment): Target {
  const { values, faults } = readSettings(environment);
  const { database, secret, previousSecrets } = values;
  const ours = faults.filter((fault) => /^NDS_(DATABASE|SECRET)/.test(fault));
  if (ours.length > 0) throw new ConfigError(ours);
  if (database === undefined || !isServer(database)) {
    throw new ConfigError([
      'NDS_DATABASE must name the PostgreSQL that the log is copied to: postgres://user:password@host:port/database',
    ]);
  }
  if (secret === undefined) {
    throw new ConfigError(['NDS_SECRET is required: all machines must have the same']);
  }
  return { database, secret, previousSecrets: previousSecrets ?? [] };
}

function tellProgress({ table, rows, of }: CopyProgress): void {
  if (rows === of || rows % TELL_EVERY_ROWS === 0) print(`${table}: ${rows} of ${of}\n`);
}

function wordsFor(file: string, counts: ReadonlyMap<string, number>): string {
  const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return (
    `All ${rows} rows of ${counts.size} tables are in the PostgreSQL, counted in both.\n` +
    'Start the machines. Start no service on the file any more: what waits in it\n' +
    `would be sent twice. Keep it until you have seen that all is well:\n${file}\n`
  );
}

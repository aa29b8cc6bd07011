// NDS_DATABASE as the address of a PostgreSQL, which several machines share, instead of the path of a file.

import { ConfigError } from './config.ts';

/** Whether it names a server. Its text has a password and is never shown. */
export function isServer(database: string): boolean {
  return /^postgres(ql)?:/i.test(database);
}

/** Throws a `ConfigError` for commands that work on a file. */
export function requireFileDatabase(database: string): void {
  if (!isServer(database)) return;
  throw new ConfigError([
    'NDS_DATABASE names a PostgreSQL, and this command works on an SQLite file: ask the running service by its API ' +
      '(NDS_API_KEYS, docs/api.md), or read the tables by psql (docs/tables.md)',
  ]);
}

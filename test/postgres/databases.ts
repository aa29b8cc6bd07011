// Databases for the tests, on the servers that the run started. No test finds the rows of another.

import { Client } from 'pg';
import { afterAll, afterEach, inject } from 'vitest';
import { createSystemClock } from '../../src/service/system.ts';
import {
  type OpenedPostgresStore,
  openPostgresStore,
  type PostgresStoreOptions,
} from '../../src/stores/postgres/store.ts';
import { KEYS } from '../stores/sqlite/keys.ts';
import { type ServerAddress, TEMPLATE } from './servers.ts';

/** Whether the tests' databases are reached through a pooler. */
export const IS_POOLED = inject('poolers') !== undefined;
export const SERVERS: readonly ServerAddress[] = inject('servers');

let made = 0;

/** Deletes every row except those of the migrations, and restarts numbers at 1: 10 ms, where TRUNCATE takes 200. */
const DELETE_ALL = `
SET session_replication_role = replica;
DO $$
DECLARE name regclass;
BEGIN
  FOR name IN SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'migrations'
  LOOP EXECUTE format('DELETE FROM %s', name); END LOOP;
  PERFORM setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
END $$`;
/** Registers the clean-up; call it once per server and test file. */
export function useDatabases({ url, major }: ServerAddress) {
  // Databases are made on the server itself; a test uses them through a pooler, if the run has one.
  const usedAt = (inject('poolers') ?? []).find((pooler) => pooler.major === major)?.url ?? url;
  const stores: OpenedPostgresStore[] = [];
  /**
   * Databases that still have rows. The next test deletes them, because what a test started ends only after this file's
   * own clean-up.
   */
  const left: string[] = [];
  const taken: string[] = [];
  const altered: string[] = [];

  afterEach(async () => {
    await Promise.all(stores.splice(0).map(({ store }) => store.close()));
    left.push(...taken.splice(0));
    await drop(url, altered.splice(0));
  });
  afterAll(() => drop(url, left));

  /** The address of a database without a table. */
  async function newEmptyDatabase(): Promise<string> {
    const name = await make(url);
    altered.push(name);
    return addressOf(usedAt, name);
  }

  /** The address of a new database with all tables. */
  async function newCopy(): Promise<string> {
    const name = await make(url, `TEMPLATE ${TEMPLATE}`);
    altered.push(name);
    return addressOf(usedAt, name);
  }

  /**
   * The address of a database with all tables and no rows. Other tests of this file use it later, since a copy takes
   * half a second. A test that alters more than rows must call `newCopy`.
   */
  async function newDatabase(): Promise<string> {
    const name = left.pop() ?? (await make(url, `TEMPLATE ${TEMPLATE}`));
    taken.push(name);
    await query(addressOf(url, name), DELETE_ALL);
    return addressOf(usedAt, name);
  }

  /** Uses the clock of the machine, unless another is given. */
  async function open(
    url: string,
    options: Partial<PostgresStoreOptions> = {},
  ): Promise<OpenedPostgresStore> {
    const clock = createSystemClock();
    const opened = await openPostgresStore({ url, keys: KEYS, clock, ...options });
    stores.push(opened);
    return opened;
  }

  return { newDatabase, newCopy, newEmptyDatabase, open };
}

async function drop(url: string, names: readonly string[]): Promise<void> {
  for (const name of names) await query(url, `DROP DATABASE ${name} WITH (FORCE)`);
}

async function make(url: string, from = ''): Promise<string> {
  made += 1;
  const name = `nds_${process.pid}_${made}`;
  await query(url, `CREATE DATABASE ${name} ${from}`);
  return name;
}

/** The address of another database of the same server or pooler. */
export function addressOf(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

/** The address of the same database without the pooler, which may have fewer connections than a test needs. */
export function directAddress(server: ServerAddress, url: string): string {
  return addressOf(server.url, new URL(url).pathname.slice(1));
}

/** How many connections of the database at this direct address wait for a lock. */
export async function countLockWaits(directUrl: string): Promise<number> {
  const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  return (await query(directUrl, waits)).length;
}

/** Runs one statement on a connection of its own. */
export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

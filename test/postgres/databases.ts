// Databases of their own for each test, on the servers that the run started.

import { Client } from 'pg';
import { afterEach, inject } from 'vitest';
import { createSystemClock } from '../../src/service/system.ts';
import { Database } from '../../src/stores/postgres/database.ts';
import { applyMigrations } from '../../src/stores/postgres/migrations.ts';
import {
  type OpenedPostgresStore,
  openPostgresStore,
  type PostgresStoreOptions,
} from '../../src/stores/postgres/store.ts';
import { KEYS } from '../stores/sqlite/keys.ts';
import type { ServerAddress } from './servers.ts';

export const SERVERS: readonly ServerAddress[] = inject('servers');

let made = 0;
/** By server: a database with all tables, which is copied in less time than it is made. */
const templates = new Map<string, Promise<string>>();

/** Registers the clean-up; call it once per server and test file. */
export function useDatabases({ url, major }: ServerAddress) {
  // Databases are made at the server itself; what a test does with them goes through a pooler, if the run has one.
  const usedAt = (inject('poolers') ?? []).find((pooler) => pooler.major === major)?.url ?? url;
  const names: string[] = [];
  const stores: OpenedPostgresStore[] = [];

  afterEach(async () => {
    await Promise.all(stores.splice(0).map(({ store }) => store.close()));
    for (const name of names.splice(0)) await query(url, `DROP DATABASE ${name} WITH (FORCE)`);
  });

  /** The address of a database without a table. */
  async function newEmptyDatabase(): Promise<string> {
    const name = await make(url);
    names.push(name);
    return addressOf(usedAt, name);
  }

  /** The address of a database with all tables, as new. */
  async function newDatabase(): Promise<string> {
    const template = templates.get(url) ?? makeTemplate(url);
    templates.set(url, template);
    const name = await make(url, `TEMPLATE ${await template}`);
    names.push(name);
    return addressOf(usedAt, name);
  }

  /** By the clock of the machine, unless another is given. */
  async function open(
    url: string,
    options: Partial<PostgresStoreOptions> = {},
  ): Promise<OpenedPostgresStore> {
    const clock = createSystemClock();
    const opened = await openPostgresStore({ url, keys: KEYS, clock, ...options });
    stores.push(opened);
    return opened;
  }

  return { newDatabase, newEmptyDatabase, open };
}

async function makeTemplate(url: string): Promise<string> {
  const name = await make(url);
  const database = new Database({ url: addressOf(url, name), clock: createSystemClock() });
  await applyMigrations(database, url);
  await database.close();
  return name;
}

async function make(url: string, from = ''): Promise<string> {
  made += 1;
  const name = `nds_${process.pid}_${made}`;
  await query(url, `CREATE DATABASE ${name} ${from}`);
  return name;
}

function addressOf(url: string, name: string): string {
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}

/** One statement on a connection of its own. */
export async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

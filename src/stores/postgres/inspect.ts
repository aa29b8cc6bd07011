// What `nds doctor` reads about a PostgreSQL, over two connections of its own, which only read and are closed again.

import pg from 'pg';
import type { Clock } from '../../core/ports/clock.ts';
import { readMigrations } from '../migrations.ts';
import { findSealer, KEY_ID, type Keys } from '../sealing/keys.ts';
import { connectionString } from './address.ts';
import { unknownKey, unusable } from './errors.ts';
import { rowsOf, typesOf } from './reading.ts';

const CONNECT_MS = 5_000;
const STATEMENT_MS = 5_000;
const ROUNDS = 5;

export interface InspectedServer {
  /** Such as 160_014. */
  readonly versionNumber: number;
  readonly version: string;
  /** Such as `UTF8`. */
  readonly encoding: string;
  /** A standby, or a database that was made read-only. */
  readonly isReadOnly: boolean;
  /** Whether this version knows the tables; `new` if there are none of ours. */
  readonly tables: 'new' | 'there';
  /** Machines that share the database now; unknown without the right to read. */
  readonly machines?: number;
  /** What the user may not do: `create tables`, or `write deliveries`. */
  readonly lackingRights: readonly string[];
  /** The median round trip of a statement. */
  readonly roundTripMs: number;
  /** This machine's wall clock minus the database's. */
  readonly aheadMs: number;
  readonly synchronousCommit: string;
  /** Empty without a synchronous standby. */
  readonly synchronousStandbys: string;
  readonly pooling: Pooling;
}

/** `statement`: nds cannot work with it. `session`: or one in transaction mode that others use, too. */
export type Pooling = 'none' | 'transaction' | 'session' | 'statement';

const FACTS = {
  columns: {
    version_number: 'integer',
    version: 'text',
    encoding: 'text',
    read_only: 'integer',
    may_create: 'integer',
    tables: 'integer',
    commit: 'text',
    standbys: 'text',
  },
  sql: `SELECT current_setting('server_version_num')::integer AS version_number,
    current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS read_only,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
    to_regclass('migrations') IS NOT NULL AND to_regclass('meta') IS NOT NULL AS tables,
    current_setting('synchronous_commit') AS commit, current_setting('synchronous_standby_names') AS standbys`,
} as const;
const RIGHTS = {
  columns: { name: 'text', may_write: 'integer', may_alter: 'integer' },
  sql: `SELECT c.relname AS name, pg_has_role(c.relowner, 'USAGE') AS may_alter,
    has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
      AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS may_write
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind = 'r' ORDER BY c.relname`,
} as const;
const KEPT = {
  columns: { key_id: 'blob?', machines: 'integer', migrations: 'integer' },
  sql: `SELECT (SELECT value FROM meta WHERE name = '${KEY_ID}') AS key_id,
    (SELECT count(*) FROM nodes) AS machines, (SELECT count(*) FROM migrations) AS migrations`,
} as const;
const CLOCK = {
  columns: { now_ms: 'integer' },
  sql: 'SELECT clock_timestamp() AS now_ms',
} as const;
const PROCESS = { columns: { pid: 'integer' }, sql: 'SELECT pg_backend_pid() AS pid' } as const;

/** Rejects with a `DatabaseRefusedError` if it cannot be reached, or is under another secret. */
export async function inspectServer(
  url: string,
  { keys, clock }: { readonly keys: Keys; readonly clock: Clock },
): Promise<InspectedServer> {
  const first = createClient(url);
  const second = createClient(url);
  try {
    await Promise.all([first.connect(), second.connect()]);
    const pooling = await findPooling(first, second);
    // A pooler in statement mode ended the first one at its BEGIN.
    const client = pooling === 'statement' ? second : first;
    const [facts] = rowsOf(FACTS, (await client.query(FACTS.sql)).rows);
    if (facts === undefined) throw new Error('no answer to a SELECT');
    const measured = await measure(client, clock);
    return {
      versionNumber: facts.version_number,
      version: facts.version,
      encoding: facts.encoding,
      isReadOnly: facts.read_only === 1,
      ...(await findTables(client, facts, { url, keys })),
      ...measured,
      synchronousCommit: facts.commit,
      synchronousStandbys: facts.standbys,
      pooling,
    };
  } catch (error) {
    throw error instanceof Error && error.name !== 'DatabaseRefusedError'
      ? unusable(url, error)
      : error;
  } finally {
    // A client that could not connect has nothing to end.
    await Promise.allSettled([first.end(), second.end()]);
  }
}

function createClient(url: string): pg.Client {
  const client = new pg.Client({
    connectionString: connectionString(url),
    application_name: 'nds doctor',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: STATEMENT_MS,
    types: typesOf(pg.types),
  });
  // Queries that run on it fail, and report it.
  client.on('error', () => {});
  return client;
}

async function findTables(
  client: pg.Client,
  facts: { readonly tables: number; readonly may_create: number },
  { url, keys }: { readonly url: string; readonly keys: Keys },
): Promise<Pick<InspectedServer, 'tables' | 'machines' | 'lackingRights'>> {
  const mayCreate = facts.may_create === 1;
  const toCreate = mayCreate ? [] : ['create tables'];
  if (facts.tables === 0) return { tables: 'new', lackingRights: toCreate };
  const rights = rowsOf(RIGHTS, (await client.query(RIGHTS.sql)).rows);
  const lackingRights = rights.flatMap(({ name, may_write }) =>
    may_write === 1 ? [] : [`read and write ${name}`],
  );
  if (lackingRights.length > 0) return { tables: 'there', lackingRights };
  const [kept] = rowsOf(KEPT, (await client.query(KEPT.sql)).rows);
  const keyId = kept?.key_id ?? undefined;
  if (keyId !== undefined && findSealer(keys, keyId) === undefined) throw unknownKey(url);
  // The next start will change the tables.
  const mustAlter = (kept?.migrations ?? 0) < readMigrations('postgres').length;
  const foreign = rights.filter(({ may_alter }) => may_alter === 0).map(({ name }) => name);
  return {
    tables: 'there',
    machines: kept?.machines ?? 0,
    lackingRights: mustAlter
      ? [...toCreate, ...foreign.map((name) => `change the table ${name}, which another user owns`)]
      : [],
  };
}

async function measure(
  client: pg.Client,
  clock: Clock,
): Promise<Pick<InspectedServer, 'roundTripMs' | 'aheadMs'>> {
  const rounds: { readonly tookMs: number; readonly aheadMs: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sentAtMs, sentAtWallMs] = [clock.nowMs(), clock.wallMs()];
    const [answer] = rowsOf(CLOCK, (await client.query(CLOCK.sql)).rows);
    const tookMs = clock.nowMs() - sentAtMs;
    rounds.push({ tookMs, aheadMs: sentAtWallMs + tookMs / 2 - (answer?.now_ms ?? 0) });
  }
  const median = rounds.sort((a, b) => a.tookMs - b.tookMs)[Math.floor(ROUNDS / 2)];
  return { roundTripMs: median?.tookMs ?? 0, aheadMs: median?.aheadMs ?? 0 };
}

/**
 * A pooler gives its clients numbers of its own in place of the server's processes. If two open connections get the
 * same process in turn, the pooler lends a process for one transaction at a time.
 */
async function findPooling(first: pg.Client, second: pg.Client): Promise<Pooling> {
  const one = await processOf(first);
  if (one === 'refused') return 'statement';
  if (one === numberOf(first)) return 'none';
  return one === (await processOf(second)) ? 'transaction' : 'session';
}

async function processOf(client: pg.Client): Promise<number | 'refused'> {
  try {
    await client.query('BEGIN');
    const [found] = rowsOf(PROCESS, (await client.query(PROCESS.sql)).rows);
    await client.query('COMMIT');
    return found?.pid ?? 0;
  } catch (error) {
    // PgBouncer's error text; it is lost with the connection, which PgBouncer closes.
    const words = /transaction blocks not allowed|^Connection terminated/i;
    if (error instanceof Error && words.test(error.message)) return 'refused';
    throw error;
  }
}

/** The driver's types leave it out. */
function numberOf(client: pg.Client): unknown {
  return 'processID' in client ? client.processID : undefined;
}

// Connections and transactions. Each transaction is `BEGIN; SET LOCAL` with its timeouts, its statements, `COMMIT`,
// without named statements or session state, so that a pooler in transaction mode can be between. Getting a connection
// and every statement have a deadline; a connection that did not answer in time is destroyed.

import pg from 'pg';
import type { Clock } from '../../core/ports/clock.ts';
import { StoreUnavailableError } from '../../core/ports/store.ts';
import { connectionString } from './address.ts';
import { type Reason, reasonOf, unavailable } from './errors.ts';
import { typesOf } from './reading.ts';

const MAX_CONNECTIONS = 10;
const CONNECT_MS = 1_000;
/** PostgreSQL itself ends a statement after this. */
const STATEMENT_MS = 2_000;
/** How much longer its answer may take before the connection counts as lost. */
const ANSWER_MS = 500;
/**
 * A transaction whose client is silent for this long is ended. Otherwise the locks of a machine that was cut off could
 * keep others from its rows for hours.
 */
const IDLE_IN_TRANSACTION_MS = 2_000;
const IDLE_MS = 30_000;
/** Kept open: a call must not wait for a new one. */
const KEPT_CONNECTIONS = 4;
const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 2_000;

type Scalar = string | number | boolean | Uint8Array | null;
export type Value = Scalar | readonly Scalar[];

export interface Found {
  readonly rows: readonly unknown[];
  /** Rows that were returned or changed. */
  readonly count: number;
}

/** Runs one statement of a transaction. */
export type Run = (sql: string, values?: readonly Value[]) => Promise<Found>;

export interface TransactionOptions {
  /** For each of its statements. */
  readonly statementMs?: number | undefined;
  /** Set if it was accepted before the close and waited for its batch. */
  readonly isAccepted?: boolean | undefined;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly clock: Clock;
}

/** Every promise rejects with `StoreUnavailableError`, or with PostgreSQL's own error if the statement is at fault. */
export class Database {
  readonly #clock: Clock;
  readonly #pool: pg.Pool;
  readonly #listeners: ((reason: Reason) => void)[] = [];
  #running = 0;
  #idle: PromiseWithResolvers<void> | undefined;
  #closing: Promise<void> | undefined;
  #backoffMs = MIN_BACKOFF_MS;
  /** Before this, PostgreSQL is not asked, and operations are refused at once. */
  #downUntilMs = Number.NEGATIVE_INFINITY;

  constructor({ url, clock }: DatabaseOptions) {
    this.#clock = clock;
    this.#pool = new pg.Pool({
      connectionString: connectionString(url),
      application_name: 'nds',
      max: MAX_CONNECTIONS,
      min: KEPT_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      // A transaction of one statement takes one round trip.
      pipeline: true,
      types: typesOf(pg.types),
    });
    // A closed connection alone is no trouble: operations on it fail, and the next one opens another.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  onTrouble(listener: (reason: Reason) => void): void {
    this.#listeners.push(listener);
  }

  /** Notifies the listeners of trouble that was found without a statement. */
  tellTrouble(reason: Reason): void {
    for (const listener of this.#listeners) listener(reason);
  }

  /** Opens the connections that are kept. */
  async warm(): Promise<void> {
    await Promise.all(Array.from({ length: KEPT_CONNECTIONS }, () => this.run('SELECT')));
  }

  /** One statement in a transaction of its own. */
  run(
    sql: string,
    values: readonly Value[] = [],
    options: TransactionOptions = {},
  ): Promise<Found> {
    return this.#enter(options, async (client, statementMs) => {
      const [, found] = await Promise.all([
        begin(client, statementMs),
        query(client, { sql, values, statementMs }),
        commit(client, statementMs),
      ]);
      return found;
    });
  }

  /** Several statements in one transaction: all or none. */
  transaction<Result>(
    work: (run: Run) => Promise<Result>,
    options: TransactionOptions = {},
  ): Promise<Result> {
    return this.#enter(options, async (client, statementMs) => {
      // Sent with the first statement; if it fails, that fails, too.
      begin(client, statementMs).catch(() => {});
      try {
        const result = await work((sql, values = []) =>
          query(client, { sql, values, statementMs }),
        );
        await commit(client, statementMs);
        return result;
      } catch (error) {
        if (reasonOf(error) !== 'unreachable')
          await query(client, { sql: 'ROLLBACK', statementMs });
        throw error;
      }
    });
  }

  /**
   * Refuses new operations, and ends the connections when `accepted` has resolved and all pending operations have
   * ended.
   */
  close(accepted: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.#closing ??= this.#close(accepted);
    return this.#closing;
  }

  async #close(accepted: Promise<unknown>): Promise<void> {
    await accepted;
    if (this.#running > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    await this.#pool.end();
  }

  async #enter<Result>(
    { statementMs = STATEMENT_MS, isAccepted = false }: TransactionOptions,
    work: (client: pg.PoolClient, statementMs: number) => Promise<Result>,
  ): Promise<Result> {
    if (this.#closing !== undefined && !isAccepted) throw new StoreUnavailableError('closed');
    this.#running += 1;
    try {
      return await this.#with((client) => work(client, statementMs));
    } catch (error) {
      const told = unavailable(error);
      if (told instanceof StoreUnavailableError) this.tellTrouble(told.reason);
      throw told;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.resolve();
    }
  }

  async #with<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
    const client = await this.#connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // After an answer from the server the transaction is over; without one its state is unknown.
      client.release(reasonOf(error) === 'unreachable');
      throw error;
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    if (this.#clock.nowMs() < this.#downUntilMs) throw new StoreUnavailableError('unreachable');
    try {
      const client = await this.#pool.connect();
      this.#backoffMs = MIN_BACKOFF_MS;
      return client;
    } catch (error) {
      this.#downUntilMs = this.#clock.nowMs() + this.#backoffMs;
      this.#backoffMs = Math.min(MAX_BACKOFF_MS, 2 * this.#backoffMs);
      throw error;
    }
  }
}

interface Statement {
  readonly sql: string;
  readonly values?: readonly Value[];
  readonly statementMs: number;
}

/** The driver knows a deadline for each statement; its types do not. */
type Timed = pg.QueryConfig & { readonly query_timeout: number };

async function query(
  client: pg.PoolClient,
  { sql, values, statementMs }: Statement,
): Promise<Found> {
  const timed: Timed = { text: sql, query_timeout: statementMs + ANSWER_MS };
  if (values !== undefined) timed.values = [...values];
  const { rows, rowCount } = await client.query<Record<string, unknown>>(timed);
  return { rows, count: rowCount ?? 0 };
}

function begin(client: pg.PoolClient, statementMs: number): Promise<unknown> {
  const text = `BEGIN; SET LOCAL statement_timeout = ${statementMs};
    SET LOCAL idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`;
  const timed: Timed = { text, query_timeout: statementMs + ANSWER_MS };
  return client.query(timed);
}

function commit(client: pg.PoolClient, statementMs: number): Promise<unknown> {
  return query(client, { sql: 'COMMIT', statementMs });
}

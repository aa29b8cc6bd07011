// Copies a whole log with its devices into an empty PostgreSQL. `meta` has a mark until all rows were copied and
// counted: no machine starts meanwhile, and another run continues where this one was interrupted.

import type { Clock } from '../../../core/ports/clock.ts';
import type { CopySource } from '../../copying.ts';
import { META } from '../../rows.ts';
import { KEY_ID, type Keys } from '../../sealing/keys.ts';
import { Sealer } from '../../sealing/seal.ts';
import { Database, type Run } from '../database.ts';
import { copyChanged, copyIncomplete, notEmpty, refusalOf } from '../errors.ts';
import { COPIED_FROM, storeKeys } from '../keys.ts';
import { applyMigrations } from '../migrations.ts';
import { rowsOf } from '../reading.ts';
import { copyTable } from './copy-table.ts';
import { COPIED_TABLES } from './tables.ts';

/** Counting a long log takes a while. */
const FINISH_MS = 600_000;

const COUNT = { columns: { count: 'integer' }, sql: 'a count' } as const;
const SEQUENCE = { columns: { name: 'text?' }, sql: 'a sequence' } as const;

export interface CopyOptions {
  readonly url: string;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly source: CopySource;
  /** This many rows of the table are copied now. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

export interface CopyProgress {
  readonly table: string;
  readonly rows: number;
  readonly of: number;
}

/** Rows by table, counted in both databases. Rejects with a `DatabaseRefusedError`, whose message says what to do. */
export async function copyDatabase(options: CopyOptions): Promise<ReadonlyMap<string, number>> {
  const { url, keys, clock, source, onProgress } = options;
  const database = new Database({ url, clock });
  const sealer = new Sealer(keys.current);
  try {
    await applyMigrations(database, url);
    await begin(database, { source, url });
    for (const table of COPIED_TABLES) {
      const { name } = table;
      const of = source.count(name);
      let rows = await database.transaction((run) => count(run, name), { statementMs: FINISH_MS });
      const onCopied = (copied: number) => {
        rows += copied;
        onProgress?.({ table: name, rows, of });
      };
      await copyTable(table, { source, database, sealer, onCopied });
    }
    return await finish(database, { source, sealer, url });
  } catch (error) {
    throw refusalOf(url, error);
  } finally {
    await database.close();
  }
}

/** Marks an empty database, or finds the mark of an earlier run of the same copy. */
function begin(
  database: Database,
  { source, url }: { readonly source: CopySource; readonly url: string },
): Promise<void> {
  return database.transaction(async (run) => {
    await run('LOCK TABLE meta IN SHARE ROW EXCLUSIVE MODE');
    const found = await run('SELECT name, value FROM meta WHERE name IN ($1, $2)', [
      KEY_ID,
      COPIED_FROM,
    ]);
    const values = new Map(rowsOf(META, found.rows).map(({ name, value }) => [name, value]));
    const mark = values.get(COPIED_FROM);
    if (mark !== undefined) {
      if (Buffer.from(mark).equals(source.state)) return;
      throw copyChanged(url);
    }
    if (values.has(KEY_ID)) throw notEmpty(url);
    for (const { name } of COPIED_TABLES) {
      const { rows } = await run(`SELECT FROM ${name} LIMIT 1`);
      if (rows.length > 0) throw notEmpty(url);
    }
    await run('INSERT INTO meta (name, value) VALUES ($1, $2)', [COPIED_FROM, source.state]);
  });
}

/** Counts everything; after that machines may start. */
function finish(
  database: Database,
  parts: { readonly source: CopySource; readonly sealer: Sealer; readonly url: string },
): Promise<ReadonlyMap<string, number>> {
  const { source, sealer, url } = parts;
  return database.transaction(
    async (run) => {
      const counts = new Map<string, number>();
      for (const { name } of COPIED_TABLES) {
        const [copied, of] = [await count(run, name), source.count(name)];
        if (copied !== of) throw copyIncomplete(url, `${name} has ${copied} rows of ${of}`);
        counts.set(name, copied);
        await continueNumbers(run, name);
      }
      await run('INSERT INTO counts (name, value) VALUES ($1, $2), ($3, $4)', [
        'devices',
        counts.get('devices') ?? 0,
        'events',
        source.lastEvent(),
      ]);
      await storeKeys(run, sealer, source.keys.lookupKey);
      await run('DELETE FROM meta WHERE name = $1', [COPIED_FROM]);
      return counts;
    },
    { statementMs: FINISH_MS },
  );
}

async function count(run: Run, table: string): Promise<number> {
  const { rows } = await run(`SELECT count(*) AS count FROM ${table}`);
  return rowsOf(COUNT, rows)[0]?.count ?? 0;
}

/** New rows get numbers after those that were copied. */
async function continueNumbers(run: Run, table: string): Promise<void> {
  const { rows } = await run(
    `SELECT pg_get_serial_sequence(table_name, column_name) AS name FROM information_schema.columns
     WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'`,
    [table],
  );
  const sequence = rowsOf(SEQUENCE, rows)[0]?.name ?? undefined;
  if (sequence === undefined) return;
  await run(`SELECT setval($1, max(row_id)) FROM ${table} HAVING max(row_id) IS NOT NULL`, [
    sequence,
  ]);
}

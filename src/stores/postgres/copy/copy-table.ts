// Copies one table in the order of its keys, a few hundred rows in a transaction. Rows that are there already are kept:
// after an interruption it continues after the last row.

import type { CopiedRow, CopiedValue, CopySource } from '../../copying.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Database, Value } from '../database.ts';
import { type Input, inputOf } from '../input.ts';
import { rowsOf } from '../reading.ts';
import type { CopiedTable } from './tables.ts';

const BATCH_ROWS = 500;
const BATCH_MS = 30_000;
const SEALED_FOR = 'sealed_for';

const COLUMNS = {
  columns: { name: 'text', type: 'text', identity: 'integer' },
  sql: `SELECT column_name::text AS name, data_type::text AS type, is_identity = 'YES' AS identity
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER'
    ORDER BY ordinal_position`,
} as const;

type Scalar = Exclude<Value, readonly unknown[]>;

export interface CopyTableOptions {
  readonly source: CopySource;
  readonly database: Database;
  /** Seals under the key of the target. */
  readonly sealer: Sealer;
  /** Called after each transaction with the number of its rows. */
  readonly onCopied: (rows: number) => void;
}

export async function copyTable(
  table: CopiedTable,
  { source, database, sealer, onCopied }: CopyTableOptions,
): Promise<void> {
  const { name, key, sealed } = table;
  const { sources, input, insert } = await planOf(table, database);
  const columns = sealed === undefined ? sources : [...sources, `${sealed.id} AS ${SEALED_FOR}`];
  let after = await findLast(table, database);
  for (;;) {
    const rows = source.rows({ table: name, columns, key, after, limit: BATCH_ROWS });
    const last = rows.at(-1);
    if (last === undefined) return;
    const copied = rows.map((row) => reseal(row, { table, from: source.keys.sealer, to: sealer }));
    await database.run(insert, input.valuesOf(copied), { statementMs: BATCH_MS });
    onCopied(rows.length);
    after = key.map((column) => keyValue(last[column]));
  }
}

interface Plan {
  /** SQLite's columns. */
  readonly sources: readonly string[];
  readonly input: Input<CopiedRow>;
  readonly insert: string;
}

async function planOf({ name, from = {} }: CopiedTable, database: Database): Promise<Plan> {
  const found = rowsOf(COLUMNS, (await database.run(COLUMNS.sql, [name])).rows);
  const columns = found.map((column) => ({ ...column, ...kindOf(column) }));
  const sources = columns.map(({ name: column, suffix }) => ({
    column: from[column] === undefined ? `${column}${suffix}` : column,
    sql: from[column] === undefined ? `${column}${suffix}` : `${from[column]} AS ${column}`,
  }));
  const input = inputOf<CopiedRow>(
    Object.fromEntries(
      columns.map(({ name: column, sent }, index) => [
        column,
        [sent, (row: CopiedRow) => toScalar(row[sources[index]?.column ?? ''])] as const,
      ]),
    ),
  );
  const names = columns.map((column) => `"${column.name}"`).join(', ');
  const values = columns.map((column) => column.value(`input."${column.name}"`)).join(', ');
  return {
    sources: sources.map(({ sql }) => sql),
    input,
    insert: `INSERT INTO ${name} (${names}) OVERRIDING SYSTEM VALUE SELECT ${values} FROM ${input.sql}`,
  };
}

interface Kind {
  /** The suffix of SQLite's column name. */
  readonly suffix: string;
  /** The type under which SQLite's value is sent. */
  readonly sent: string;
  readonly value: (sent: string) => string;
}

function kindOf({ name, type }: { readonly name: string; readonly type: string }): Kind {
  switch (type) {
    case 'timestamp with time zone': {
      const value = (sent: string) => `timestamptz 'epoch' + ${sent} * interval '1 millisecond'`;
      return { suffix: '_ms', sent: 'bigint', value };
    }
    case 'boolean':
      return { suffix: '', sent: 'integer', value: (sent) => `${sent} <> 0` };
    case 'bigint':
    case 'integer':
    case 'text':
    case 'bytea':
      return { suffix: '', sent: type, value: (sent) => sent };
    default:
      throw new TypeError(`the column ${name} has the type ${type}, which cannot be copied`);
  }
}

/** PostgreSQL has no NUL in a text. */
function toScalar(value: CopiedValue | undefined): Scalar {
  if (value === undefined) throw new TypeError('a column is missing in SQLite');
  if (typeof value === 'string') return value.replaceAll('\0', '\ufffd');
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

/** A value that cannot be opened stays as it is: a claim or a lookup that reads it ends its delivery or device. */
function reseal(
  row: CopiedRow,
  { table, from, to }: { readonly table: CopiedTable; readonly from: Sealer; readonly to: Sealer },
): CopiedRow {
  const { sealed, [SEALED_FOR]: id } = row;
  if (table.sealed === undefined || from.keyId.equals(to.keyId)) return row;
  if (!(sealed instanceof Uint8Array) || typeof id !== 'string') return row;
  const context = table.sealed.contextOf(id);
  const plain = from.open(sealed, context);
  return plain === undefined ? row : { ...row, sealed: to.seal(plain, context) };
}

async function findLast(
  { name, key }: CopiedTable,
  database: Database,
): Promise<readonly (string | number)[] | undefined> {
  const order = key.map((column) => `${column} DESC`).join(', ');
  const { rows } = await database.run(
    `SELECT ${key.join(', ')} FROM ${name} ORDER BY ${order} LIMIT 1`,
  );
  const [row] = rows;
  return typeof row === 'object' && row !== null ? Object.values(row).map(keyValue) : undefined;
}

function keyValue(value: unknown): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw new TypeError('not the key of a row');
}

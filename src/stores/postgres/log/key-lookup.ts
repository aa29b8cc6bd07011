// Finds rows by a value or its beginning, in the column that belongs to each kind of key.

import type { KeyKind, LogKey } from '../../../core/ports/log.ts';
import { DELIVERY_IDS, DEVICE_IDS, REFUSAL_IDS } from '../../rows.ts';
import type { Run } from '../database.ts';
import { compute, select } from '../statements.ts';
import { wall } from '../times.ts';

/** If a short beginning of an id matches many rows, the last in id order, which is the order of time. */
const MAX_MATCHES = 5_000;

type Columns = Partial<Readonly<Record<KeyKind, string>>>;

export interface LookedUp {
  readonly rows: typeof DELIVERY_IDS | typeof REFUSAL_IDS | typeof DEVICE_IDS;
  readonly columns: Columns;
  readonly condition: string;
}

export const OF_DELIVERIES: LookedUp = {
  rows: DELIVERY_IDS,
  columns: {
    delivery: 'id',
    request: 'request_id',
    device: 'device_id',
    token: 'token_hash',
    subject: 'subject_hash',
  },
  condition: 'received_at >= @since',
};

export const OF_REFUSALS: LookedUp = {
  rows: REFUSAL_IDS,
  columns: {
    delivery: 'delivery_id',
    request: 'request_id',
    device: 'device_id',
    token: 'token_hash',
    subject: 'subject_hash',
    handle: 'handle_hash',
  },
  condition: 'last_at >= @since',
};

/** Regardless of age. */
export const OF_DEVICES: LookedUp = {
  rows: DEVICE_IDS,
  columns: { device: 'id', token: 'token_hash', user: 'user_hash' },
  condition: "@since <= 'infinity'::timestamptz",
};

export interface LookupOptions {
  readonly sinceMs: number;
  readonly limit: number;
}

export interface Matches {
  readonly rowIds: ReadonlySet<number>;
  /** By which something was found. */
  readonly kinds: ReadonlySet<KeyKind>;
}

export async function lookUp(
  run: Run,
  table: LookedUp,
  { keys, ...options }: LookupOptions & { readonly keys: readonly LogKey[] },
): Promise<Matches> {
  const rowIds = new Set<number>();
  const kinds = new Set<KeyKind>();
  const add = (kind: KeyKind, found: readonly { readonly row_id: number }[]) => {
    if (found.length > 0) kinds.add(kind);
    const newest = found.map(({ row_id }) => row_id).toSorted((one, other) => other - one);
    for (const rowId of newest.slice(0, options.limit)) rowIds.add(rowId);
  };
  const whole = Map.groupBy(
    keys.filter(({ isWhole }) => isWhole),
    ({ kind }) => kind,
  );
  for (const [kind, some] of whole) {
    const values = some.map(({ value }) => value);
    add(kind, await findWhole(run, table, { ...options, column: table.columns[kind], values }));
  }
  for (const key of keys) {
    if (key.isWhole) continue;
    const column = table.columns[key.kind];
    add(key.kind, await findBeginning(run, table, { ...options, ...key, column }));
  }
  return { rowIds, kinds };
}

type Column = { readonly column: string | undefined };

/** The newest of all. The column's index comes first: ordered by row, PostgreSQL might read the whole table. */
async function findWhole(
  run: Run,
  { rows, condition }: LookedUp,
  {
    column,
    values,
    sinceMs,
    limit,
  }: LookupOptions & Column & { readonly values: readonly string[] },
) {
  if (column === undefined) return [];
  const sql = `WITH matching AS MATERIALIZED (
      SELECT row_id FROM ${rows.tables} WHERE ${column} = ANY(@values) AND ${condition})
    SELECT row_id FROM matching ORDER BY row_id DESC LIMIT @limit`;
  const given = { values, since: wall(sinceMs), limit };
  return await compute(run, { columns: rows.columns, sql }, given);
}

async function findBeginning(
  run: Run,
  { rows, condition }: LookedUp,
  { column, value, end = '', sinceMs }: LookupOptions & Column & LogKey,
) {
  if (column === undefined) return [];
  const pattern = `${literal(value)}%${literal(end)}`;
  return await select(
    run,
    rows,
    `WHERE ${column} LIKE @pattern AND ${condition} ORDER BY ${column} DESC LIMIT ${MAX_MATCHES}`,
    { pattern, since: wall(sinceMs) },
  );
}

function literal(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}

// A database file that is copied into another database. It is only read.

import { createHash } from 'node:crypto';
import { realpathSync, statSync } from 'node:fs';
import type { CopiedRow, CopiedValue, CopySource } from '../../copying.ts';
import { rows } from '../../rows.ts';
import type { Keys, OpenedKeys } from '../../sealing/keys.ts';
import { damageOr } from '../errors.ts';
import { prepareRows, type Values } from '../reading.ts';
import { findKeys } from './keys.ts';
import { checkSameMigrations } from './migrations.ts';
import { openForReading } from './open-reading.ts';

const TABLES = rows('sqlite_schema', { name: 'text' });
const LAST_EVENT = {
  columns: { last: 'integer?' },
  sql: `SELECT max(
      coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0),
      coalesce((SELECT max(cursor) FROM endpoints), 0)) AS last`,
} as const;

/**
 * The caller owns the database. Throws a `DatabaseRefusedError` for a file of another version, and for secrets that do
 * not fit.
 */
export function openCopySource(
  path: string,
  keys: Keys,
): CopySource & { readonly close: () => void } {
  const file = realpathSync(path);
  const db = openForReading(file);
  let opened: OpenedKeys;
  try {
    checkSameMigrations(db, file);
    opened = findKeys(db, keys, file);
  } catch (error) {
    db.close();
    throw damageOr(error, file);
  }
  return {
    close: () => db.close(),
    keys: opened,
    state: stateOf(file, opened.lookupKey),
    tables: () =>
      prepareRows(
        db,
        TABLES,
        `WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`,
      )().map(({ name }) => name),
    count: (table) => {
      const counted = { columns: { count: 'integer' }, sql: 'SELECT count(*) AS count' } as const;
      return prepareRows(db, counted, `FROM ${table}`)()[0]?.count ?? 0;
    },
    rows({ table, columns, key, after, limit }) {
      const names = key.map((_, index) => `@key${index}`);
      const from = after === undefined ? '' : `WHERE (${key.join(', ')}) > (${names.join(', ')})`;
      const values: Values = {
        limit,
        ...Object.fromEntries((after ?? []).map((value, index) => [`key${index}`, value])),
      };
      return db
        .prepare(
          `SELECT ${columns.join(', ')} FROM ${table} ${from} ORDER BY ${key.join(', ')} LIMIT @limit`,
        )
        .all(values)
        .map(toRow);
    },
    lastEvent: () => prepareRows(db, LAST_EVENT, '')()[0]?.last ?? 0,
  };
}

/** A value that every write changes. */
function stateOf(file: string, lookupKey: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(lookupKey);
  for (const path of [file, `${file}-wal`]) {
    const found = statSync(path, { throwIfNoEntry: false });
    const isThere = found !== undefined && found.size > 0;
    hash.update(isThere ? `${found.size} ${found.mtimeMs}\n` : 'none\n');
  }
  return hash.digest();
}

function toRow(found: unknown): CopiedRow {
  const entries = typeof found === 'object' && found !== null ? Object.entries(found) : [];
  return Object.fromEntries(entries.map(([name, value]) => [name, toValue(name, value)]));
}

function toValue(name: string, value: unknown): CopiedValue {
  if (value === null || value instanceof Uint8Array) return value;
  if (typeof value === 'string' || typeof value === 'number') return value;
  throw new TypeError(`not a value of SQLite in the column ${name}`);
}

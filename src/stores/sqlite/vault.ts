// The keys of a database. The encryption key comes from the configuration and can be replaced; the lookup
// key, under which fingerprints are made, is born with the file, kept sealed in it, and never changes.

import { randomBytes } from 'node:crypto';
import type Database from 'better-sqlite3';
import { contextOf } from './contents.ts';
import { deviceContextOf } from './device-contents.ts';
import { corruptDatabase, unknownKey } from './errors.ts';
import { JOURNAL_CONTEXT } from './journal.ts';
import { KEY_BYTES, keyIdOf, Sealer } from './seal.ts';

const LOOKUP_KEY_CONTEXT = 'lookup key';
const RESEAL_ROWS = 500;

/** A table with a sealed value a row. */
interface SealedTable {
  readonly name: string;
  readonly key: string;
  /** The id of the row that it belongs to, by which the value is bound to it. */
  readonly ownerId: string;
  readonly contextOf: (ownerId: Buffer) => string;
}

const ownerIdIn = (owner: string) => `(SELECT id FROM ${owner} o WHERE o.row_id = replaced.row_id)`;

const SEALED_TABLES: readonly SealedTable[] = [
  { name: 'journal', key: 'entry_id', ownerId: "x''", contextOf: () => JOURNAL_CONTEXT },
  { name: 'secrets', key: 'row_id', ownerId: ownerIdIn('deliveries'), contextOf },
  {
    name: 'device_secrets',
    key: 'row_id',
    ownerId: ownerIdIn('devices'),
    contextOf: deviceContextOf,
  },
];

export interface Keys {
  /** 32 bytes; everything is sealed under it from now on. */
  readonly current: Uint8Array;
  /** Keys that were replaced; a database written under one of them is sealed anew at open. */
  readonly previous: readonly Uint8Array[];
}

export interface Vault {
  readonly sealer: Sealer;
  /** The key that the database is under. */
  readonly key: Uint8Array;
  readonly lookupKey: Buffer;
  /** Rows that were sealed anew because the key was replaced. */
  readonly resealedRows?: number;
}

interface VaultRow {
  readonly keyId: Buffer;
  readonly lookupKey: Buffer;
}

/**
 * Unseals the lookup key, making one if the database is new, and replaces the encryption key of the whole
 * database if it is a previous one, unless `keepsKey`: whoever only looks must not take the key from under a service
 * that runs. One transaction: after a crash either all is under the new key or nothing.
 */
export function openVault(
  db: Database.Database,
  keys: Keys,
  { file, keepsKey }: { readonly file: string; readonly keepsKey: boolean },
): Vault {
  const open = db.transaction((): Vault => {
    const current = new Sealer(keys.current);
    const row = db
      .prepare<[], VaultRow>('SELECT key_id AS keyId, lookup_key AS lookupKey FROM vault')
      .get();
    if (row === undefined) return { ...createVault(db, current), key: keys.current };
    if (row.keyId.equals(current.keyId)) {
      const lookupKey = unsealLookupKey(current, row, file);
      return { sealer: current, key: keys.current, lookupKey };
    }
    const previousKey = keys.previous.find((key) => keyIdOf(key).equals(row.keyId));
    if (previousKey === undefined) throw unknownKey(file);
    const previous = new Sealer(previousKey);
    const lookupKey = unsealLookupKey(previous, row, file);
    if (keepsKey) return { sealer: previous, key: previousKey, lookupKey };
    const keyChange = { from: previous, to: current };
    const resealedRows = SEALED_TABLES.map((table) => reseal(db, table, keyChange));
    storeVault(db, current, lookupKey);
    return {
      sealer: current,
      key: keys.current,
      lookupKey,
      resealedRows: resealedRows.reduce((sum, rows) => sum + rows),
    };
  });
  const vault = open.immediate();
  // The file is free of the old key when its pages are written, the WAL when it is emptied.
  if (vault.resealedRows !== undefined) db.pragma('wal_checkpoint(TRUNCATE)');
  return vault;
}

function createVault(db: Database.Database, sealer: Sealer): Omit<Vault, 'key'> {
  const lookupKey = randomBytes(KEY_BYTES);
  storeVault(db, sealer, lookupKey);
  return { sealer, lookupKey };
}

function storeVault(db: Database.Database, sealer: Sealer, lookupKey: Buffer): void {
  db.prepare('INSERT OR REPLACE INTO vault (one, key_id, lookup_key) VALUES (1, ?, ?)').run(
    sealer.keyId,
    sealer.seal(lookupKey, LOOKUP_KEY_CONTEXT),
  );
}

function unsealLookupKey(sealer: Sealer, row: VaultRow, file: string): Buffer {
  const lookupKey = sealer.open(row.lookupKey, LOOKUP_KEY_CONTEXT);
  if (lookupKey === undefined) throw corruptDatabase(file, 'its lookup key is damaged');
  return lookupKey;
}

/**
 * Writes a table anew: where SQLite moved rows from page to page it may have left copies behind, which go
 * with the old table's pages. A value that cannot be opened stays as it is; whoever comes upon it ends it.
 */
function reseal(
  db: Database.Database,
  { name, key, ownerId, contextOf: toContext }: SealedTable,
  { from, to }: { readonly from: Sealer; readonly to: Sealer },
): number {
  const definition = db
    .prepare<[string], string>("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
    .get(name);
  if (definition === undefined) throw new Error(`there is no table ${name}`);
  db.exec(`ALTER TABLE ${name} RENAME TO replaced; ${definition}`);
  const page = db.prepare<[number, number], { rowId: number; id: Buffer; sealed: Buffer }>(
    `SELECT ${key} AS rowId, ${ownerId} AS id, sealed FROM replaced WHERE ${key} > ? ORDER BY ${key} LIMIT ?`,
  );
  const insert = db.prepare(`INSERT INTO ${name} (${key}, sealed) VALUES (?, ?)`);
  let resealed = 0;
  for (let rows = page.all(0, RESEAL_ROWS); rows.length > 0; ) {
    for (const { rowId, id, sealed } of rows) {
      const context = toContext(id);
      const plain = from.open(sealed, context);
      insert.run(rowId, plain === undefined ? sealed : to.seal(plain, context));
      if (plain !== undefined) resealed += 1;
    }
    rows = page.all(rows.at(-1)?.rowId ?? 0, RESEAL_ROWS);
  }
  db.exec('DROP TABLE replaced');
  return resealed;
}

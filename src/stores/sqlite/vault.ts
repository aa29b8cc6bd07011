// The keys of a database. The encryption key comes from the configuration and can be replaced; the lookup
// key, under which fingerprints are made, is born with the file, kept sealed in it, and never changes.

import { randomBytes } from 'node:crypto';
import type Database from 'better-sqlite3';
import { contextOf } from './contents.ts';
import { deviceContextOf } from './device-contents.ts';
import { corruptDatabase, unknownKey } from './errors.ts';
import { KEY_BYTES, keyIdOf, Sealer } from './seal.ts';

const LOOKUP_KEY_CONTEXT = 'lookup key';
const RESEAL_ROWS = 500;

/** A sealed value a row, under the `row_id` of the row that it belongs to. */
interface SealedTable {
  readonly name: string;
  /** Where the ids are, by which the values are bound to their rows. */
  readonly owner: string;
  readonly contextOf: (id: Buffer) => string;
}

const SEALED_TABLES: readonly SealedTable[] = [
  { name: 'secrets', owner: 'deliveries', contextOf },
  { name: 'device_secrets', owner: 'devices', contextOf: deviceContextOf },
];

export interface Keys {
  /** 32 bytes; everything is sealed under it from now on. */
  readonly current: Uint8Array;
  /** Keys that were replaced; a database written under one of them is sealed anew at open. */
  readonly previous: readonly Uint8Array[];
}

export interface Vault {
  readonly sealer: Sealer;
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
 * database if it is a previous one. One transaction: after a crash either all is under the new key or nothing.
 */
export function openVault(db: Database.Database, keys: Keys, file: string): Vault {
  const open = db.transaction((): Vault => {
    const current = new Sealer(keys.current);
    const row = db
      .prepare<[], VaultRow>('SELECT key_id AS keyId, lookup_key AS lookupKey FROM vault')
      .get();
    if (row === undefined) return createVault(db, current);
    if (row.keyId.equals(current.keyId)) {
      return { sealer: current, lookupKey: unsealLookupKey(current, row, file) };
    }
    const previousKey = keys.previous.find((key) => keyIdOf(key).equals(row.keyId));
    if (previousKey === undefined) throw unknownKey(file);
    const previous = new Sealer(previousKey);
    const lookupKey = unsealLookupKey(previous, row, file);
    const keyChange = { from: previous, to: current };
    const resealedRows = SEALED_TABLES.map((table) => reseal(db, table, keyChange));
    storeVault(db, current, lookupKey);
    return {
      sealer: current,
      lookupKey,
      resealedRows: resealedRows.reduce((sum, rows) => sum + rows),
    };
  });
  const vault = open.immediate();
  // The file is free of the old key when its pages are written, the WAL when it is emptied.
  if (vault.resealedRows !== undefined) db.pragma('wal_checkpoint(TRUNCATE)');
  return vault;
}

function createVault(db: Database.Database, sealer: Sealer): Vault {
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
  { name, owner, contextOf: toContext }: SealedTable,
  { from, to }: { readonly from: Sealer; readonly to: Sealer },
): number {
  const definition = db
    .prepare<[string], string>("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
    .get(name);
  if (definition === undefined) throw new Error(`there is no table ${name}`);
  db.exec(`ALTER TABLE ${name} RENAME TO replaced; ${definition}`);
  const page = db.prepare<[number, number], { rowId: number; id: Buffer; sealed: Buffer }>(
    `SELECT s.row_id AS rowId, o.id, s.sealed FROM replaced s JOIN ${owner} o ON o.row_id = s.row_id
     WHERE s.row_id > ? ORDER BY s.row_id LIMIT ?`,
  );
  const insert = db.prepare(`INSERT INTO ${name} (row_id, sealed) VALUES (?, ?)`);
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

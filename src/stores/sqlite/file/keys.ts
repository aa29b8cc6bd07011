// The keys of a database. The encryption key comes from the configuration and can be replaced; the lookup
// key, under which fingerprints are made, is made with the file, kept sealed in it, and never changes.

import { randomBytes } from 'node:crypto';
import type Database from 'better-sqlite3';
import { META } from '../../rows.ts';
import { deliveryContext, deviceContext, endpointContext } from '../../sealing/content.ts';
import {
  findSealer,
  KEY_ID,
  type Keys,
  LOOKUP_KEY,
  type OpenedKeys,
  openLookupKey,
  sealLookupKey,
} from '../../sealing/keys.ts';
import { KEY_BYTES, Sealer } from '../../sealing/seal.ts';
import { corruptDatabase, unknownKey } from '../errors.ts';
import { prepareRows, type Reading } from '../reading.ts';

/** The tables with a sealed value in each row, and how the id that it is bound to is found. */
const SEALED_TABLES = [
  {
    table: 'queue',
    id: '(SELECT id FROM deliveries d WHERE d.row_id = replaced.row_id)',
    contextOf: deliveryContext,
  },
  { table: 'devices', id: 'id', contextOf: deviceContext },
  { table: 'endpoints', id: 'id', contextOf: endpointContext },
] as const;

/**
 * Unseals the lookup key, making one if the database is new, and seals the whole database under the current
 * encryption key if it is under a previous one. One transaction: after a crash either all or nothing is done.
 */
export function openKeys(db: Database.Database, keys: Keys, file: string): OpenedKeys {
  const current = new Sealer(keys.current);
  const open = db.transaction((): OpenedKeys => {
    if (readMeta(db, KEY_ID) === undefined) {
      const lookupKey = randomBytes(KEY_BYTES);
      storeKeys(db, current, lookupKey);
      return { sealer: current, lookupKey };
    }
    const { sealer, lookupKey } = findKeys(db, keys, file);
    if (sealer.keyId.equals(current.keyId)) return { sealer: current, lookupKey };
    let resealedRows = 0;
    for (const sealed of SEALED_TABLES) {
      resealedRows += reseal(db, { ...sealed, from: sealer, to: current });
    }
    storeKeys(db, current, lookupKey);
    return { sealer: current, lookupKey, resealedRows };
  });
  // Set outside the transaction, because they have no effect inside: replaced tables keep their children and
  // references.
  db.pragma('foreign_keys = OFF');
  db.pragma('legacy_alter_table = ON');
  const opened = open.immediate();
  db.pragma('legacy_alter_table = OFF');
  db.pragma('foreign_keys = ON');
  // The file contains nothing under the old key once its pages are written, the WAL once it is emptied.
  if (opened.resealedRows !== undefined) db.pragma('wal_checkpoint(TRUNCATE)');
  return opened;
}

/** The keys as they are in the file, whichever of the configured ones it is under. Changes nothing. */
export function findKeys(db: Reading, keys: Keys, file: string): OpenedKeys {
  const keyId = readMeta(db, KEY_ID);
  const sealedLookupKey = readMeta(db, LOOKUP_KEY);
  if (keyId === undefined || sealedLookupKey === undefined) {
    throw corruptDatabase(file, 'its keys are missing');
  }
  const sealer = findSealer(keys, keyId);
  if (sealer === undefined) throw unknownKey(file);
  const lookupKey = openLookupKey(sealer, sealedLookupKey);
  if (lookupKey === undefined) throw corruptDatabase(file, 'its lookup key is damaged');
  return { sealer, lookupKey };
}

function readMeta(db: Reading, name: string): Buffer | undefined {
  const [row] = prepareRows(db, META, 'WHERE name = @name')({ name });
  return row && Buffer.from(row.value);
}

function storeKeys(db: Database.Database, sealer: Sealer, lookupKey: Buffer): void {
  const put = db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)');
  put.run(KEY_ID, sealer.keyId);
  put.run(LOOKUP_KEY, sealLookupKey(sealer, lookupKey));
}

interface Resealing {
  readonly table: string;
  readonly id: string;
  readonly contextOf: (id: string) => string;
  readonly from: Sealer;
  readonly to: Sealer;
}

/**
 * Writes the whole table again: SQLite may have left copies behind where it moved rows between pages, and these go with
 * the pages of the old table. A value that cannot be opened stays as it is: a claim or a lookup that reads it ends its
 * delivery or device.
 */
function reseal(db: Database.Database, { table, id, contextOf, from, to }: Resealing): number {
  let resealed = 0;
  db.function('reseal', (sealed: Uint8Array, owner: string) => {
    const plain = from.open(sealed, contextOf(owner));
    if (plain === undefined) return sealed;
    resealed += 1;
    return to.seal(plain, contextOf(owner));
  });
  const definitions = db
    .prepare<[string], { name: string; type: string; sql: string }>(
      'SELECT name, type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC',
    )
    .all(table);
  for (const { name, type } of definitions) if (type === 'index') db.exec(`DROP INDEX ${name}`);
  db.exec(`ALTER TABLE ${table} RENAME TO replaced`);
  for (const { sql } of definitions) db.exec(sql);
  // Generated columns are not in this list.
  const columns = db
    .prepare<[string], string>('SELECT name FROM pragma_table_info(?)')
    .pluck()
    .all(table);
  const values = columns.map((name) => (name === 'sealed' ? `reseal(sealed, ${id})` : name));
  db.exec(
    `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM replaced ORDER BY row_id;
     DROP TABLE replaced`,
  );
  return resealed;
}

// The keys of the database. All machines have the same NDS_SECRET: the id of the key that everything is sealed under is
// in `meta`, and a machine with another secret does not start.

import { randomBytes } from 'node:crypto';
import { META } from '../rows.ts';
import { deliveryContext, deviceContext, endpointContext } from '../sealing/content.ts';
import {
  findSealer,
  KEY_ID,
  type Keys,
  LOOKUP_KEY,
  type OpenedKeys,
  openLookupKey,
  sealLookupKey,
} from '../sealing/keys.ts';
import { KEY_BYTES, Sealer } from '../sealing/seal.ts';
import type { Database, Run } from './database.ts';
import { copyUnfinished, damagedKeys, othersRun, unknownKey } from './errors.ts';
import { inputOf } from './input.ts';
import { rowsOf } from './reading.ts';

/** Present in `meta` while a log is copied into this database: names the source. */
export const COPIED_FROM = 'copied_from';
const SEALED = {
  columns: { row_id: 'integer', id: 'text', sealed: 'blob' },
  sql: 'sealed rows',
} as const;

const SEALED_TABLES = [
  {
    table: 'queue',
    select: 'SELECT row_id, id, sealed FROM queue JOIN deliveries USING (row_id)',
    contextOf: deliveryContext,
  },
  { table: 'devices', select: 'SELECT row_id, id, sealed FROM devices', contextOf: deviceContext },
  {
    table: 'endpoints',
    select: 'SELECT row_id, id, sealed FROM endpoints',
    contextOf: endpointContext,
  },
] as const;
const RESEAL_ROWS = 1_000;
const RESEAL_MS = 60_000;

/**
 * Unseals the lookup key, making one if the database is new, and seals everything under the current key if it is under
 * a previous one. Rejects with a `DatabaseRefusedError`. One transaction: after a crash either all or nothing is done.
 */
export function openKeys(database: Database, keys: Keys, url: string): Promise<OpenedKeys> {
  return database.transaction(
    async (run) => {
      // Two machines that start must not make two keys.
      await run('LOCK TABLE meta IN SHARE ROW EXCLUSIVE MODE');
      const current = new Sealer(keys.current);
      const found = await readKeys(run, keys, url);
      if (found === undefined) {
        const lookupKey = randomBytes(KEY_BYTES);
        await storeKeys(run, current, lookupKey);
        return { sealer: current, lookupKey };
      }
      const { sealer, lookupKey } = found;
      if (sealer.keyId.equals(current.keyId)) return { sealer: current, lookupKey };
      await refuseBesideOthers(run, url);
      const resealedRows = await resealAll(run, sealer, current);
      await storeKeys(run, current, lookupKey);
      return { sealer: current, lookupKey, resealedRows };
    },
    { statementMs: RESEAL_MS },
  );
}

/** A machine that still runs under the previous key could no longer read anything: all devices would seem missing. */
async function refuseBesideOthers(run: Run, url: string): Promise<void> {
  const { count } = await run(
    "SELECT FROM nodes WHERE beaten_at > now() - interval '6 seconds' LIMIT 1",
  );
  if (count > 0) throw othersRun(url);
}

/** The keys that the database is under; changes nothing. Rejects with a `DatabaseRefusedError`. */
export async function findKeys(run: Run, keys: Keys, url: string): Promise<OpenedKeys> {
  const found = await readKeys(run, keys, url);
  if (found === undefined) throw damagedKeys(url, 'its keys are missing');
  return found;
}

/** Undefined if the database is new. */
async function readKeys(run: Run, keys: Keys, url: string): Promise<OpenedKeys | undefined> {
  const names = [KEY_ID, LOOKUP_KEY, COPIED_FROM];
  const found = await run('SELECT name, value FROM meta WHERE name IN ($1, $2, $3)', names);
  const values = new Map(rowsOf(META, found.rows).map(({ name, value }) => [name, value]));
  if (values.has(COPIED_FROM)) throw copyUnfinished(url);
  const keyId = values.get(KEY_ID);
  if (keyId === undefined) return undefined;
  const sealed = values.get(LOOKUP_KEY);
  if (sealed === undefined) throw damagedKeys(url, 'its lookup key is missing');
  const sealer = findSealer(keys, keyId);
  if (sealer === undefined) throw unknownKey(url);
  const lookupKey = openLookupKey(sealer, sealed);
  if (lookupKey === undefined) throw damagedKeys(url, 'its lookup key is damaged');
  return { sealer, lookupKey };
}

export async function storeKeys(run: Run, sealer: Sealer, lookupKey: Buffer): Promise<void> {
  const put = `INSERT INTO meta (name, value) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
  await run(put, [KEY_ID, sealer.keyId]);
  await run(put, [LOOKUP_KEY, sealLookupKey(sealer, lookupKey)]);
}

interface Resealed {
  readonly rowId: number;
  readonly sealed: Buffer;
}

const RESEALED = inputOf<Resealed>({
  row_id: ['bigint', ({ rowId }) => rowId],
  sealed: ['bytea', ({ sealed }) => sealed],
});

/** A value that cannot be opened stays as it is: a claim or a lookup that reads it ends its delivery or device. */
async function resealAll(run: Run, from: Sealer, to: Sealer): Promise<number> {
  let count = 0;
  for (const { table, select, contextOf } of SEALED_TABLES) {
    await run(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    let after = 0;
    for (;;) {
      const found = await run(`${select} WHERE row_id > $1 ORDER BY row_id LIMIT ${RESEAL_ROWS}`, [
        after,
      ]);
      const rows = rowsOf(SEALED, found.rows);
      const resealed = rows.flatMap(({ row_id: rowId, id, sealed }): readonly Resealed[] => {
        const plain = from.open(sealed, contextOf(id));
        return plain === undefined ? [] : [{ rowId, sealed: to.seal(plain, contextOf(id)) }];
      });
      await run(
        `UPDATE ${table} t SET sealed = input.sealed FROM ${RESEALED.sql} WHERE input.row_id = t.row_id`,
        RESEALED.valuesOf(resealed),
      );
      count += resealed.length;
      const last = rows.at(-1);
      if (last === undefined || rows.length < RESEAL_ROWS) break;
      after = last.row_id;
    }
  }
  return count;
}

// Finds rows by a value or its beginning, in the column that belongs to each kind of key.

import type { KeyKind, LogKey } from '../../../core/ports/log.ts';
import { DELIVERY_IDS, DEVICE_IDS, REFUSAL_IDS } from '../../rows.ts';
import { prepareRows, type Reading, type Values } from '../reading.ts';

/** If a short beginning of an id matches many rows, the last in id order, which is the order of time. */
const MAX_MATCHES = 5_000;
/** Sorts behind every character of an id or fingerprint. */
const LAST_CHARACTER = '~';

/** Column and index by kind of key. SQLite has no statistics to choose by, so the index is named. */
type Columns = Partial<Readonly<Record<KeyKind, readonly [column: string, index: string]>>>;

const OF_DELIVERIES: Columns = {
  delivery: ['id', 'deliveries_by_id'],
  request: ['request_id', 'deliveries_by_request'],
  device: ['device_id', 'deliveries_by_device'],
  token: ['token_hash', 'deliveries_by_token'],
  subject: ['subject_hash', 'deliveries_by_subject'],
};
const OF_REFUSALS: Columns = {
  delivery: ['delivery_id', 'refusals_by_delivery'],
  request: ['request_id', 'refusals_by_request'],
  device: ['device_id', 'refusals_by_device'],
  token: ['token_hash', 'refusals_by_token'],
  subject: ['subject_hash', 'refusals_by_subject'],
  handle: ['handle_hash', 'refusals_by_handle'],
};
const OF_DEVICES: Columns = {
  device: ['id', 'devices_by_id'],
  token: ['token_hash', 'devices_by_token'],
  user: ['user_hash', 'devices_by_user'],
};

export interface LookupOptions {
  readonly sinceMs: number;
  readonly limit: number;
}

/** Row ids, the newest of each key. `note` is called with the kinds of keys by which something was found. */
export type KeyLookup = (
  keys: readonly LogKey[],
  options: LookupOptions,
  note: (kind: KeyKind) => void,
) => ReadonlySet<number>;

export function prepareKeyLookups(db: Reading) {
  return {
    deliveries: prepareLookup(db, {
      rows: DELIVERY_IDS,
      columns: OF_DELIVERIES,
      condition: 'received_at_ms >= @sinceMs',
    }),
    refusals: prepareLookup(db, {
      rows: REFUSAL_IDS,
      columns: OF_REFUSALS,
      condition: 'last_at_ms >= @sinceMs',
    }),
    // Regardless of age.
    devices: prepareLookup(db, {
      rows: DEVICE_IDS,
      columns: OF_DEVICES,
      condition: '@sinceMs >= 0',
    }),
  };
}

interface LookedUp {
  readonly rows: typeof DELIVERY_IDS | typeof REFUSAL_IDS | typeof DEVICE_IDS;
  readonly columns: Columns;
  readonly condition: string;
}

function prepareLookup(db: Reading, { rows, columns, condition }: LookedUp): KeyLookup {
  const statements = new Map<string, (values: Values) => readonly { readonly row_id: number }[]>();

  function prepare(column: string, index: string, isWhole: boolean) {
    return prepareRows(
      db,
      rows,
      isWhole
        ? `INDEXED BY ${index} WHERE ${column} = @value AND ${condition} ORDER BY row_id DESC LIMIT @limit`
        : `INDEXED BY ${index} WHERE ${column} >= @value AND ${column} < @last AND ${column} GLOB @pattern
           AND ${condition} ORDER BY ${column} DESC LIMIT ${MAX_MATCHES}`,
    );
  }

  return function lookUp(keys, { sinceMs, limit }, note) {
    const found = new Set<number>();
    for (const { kind, value, isWhole, end = '' } of keys) {
      const place = columns[kind];
      if (place === undefined) continue;
      const name = `${place[0]} ${isWhole}`;
      const find = statements.get(name) ?? prepare(...place, isWhole);
      statements.set(name, find);
      const last = `${value}${LAST_CHARACTER}`;
      const matching = find({ value, last, pattern: `${value}*${end}`, sinceMs, limit });
      if (matching.length > 0) note(kind);
      const newest = matching.map((row) => row.row_id).toSorted((one, other) => other - one);
      for (const rowId of newest.slice(0, limit)) found.add(rowId);
    }
    return found;
  };
}

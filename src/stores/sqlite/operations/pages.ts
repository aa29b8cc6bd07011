// Lists for operators, page by page and newest first. A page reads a bounded range of rows, so that a filter without
// matches delays no other query: such a page is short or empty, and says where to continue.

import type Database from 'better-sqlite3';
import type { Device } from '../../../core/ports/devices.ts';
import type {
  DeliveryPageQuery,
  DevicePageQuery,
  Page,
  QuarantineCursor,
  QuarantinePageQuery,
  RefusalPageQuery,
} from '../../../core/ports/operating.ts';
import type { Refusal } from '../../../core/ports/records.ts';
import type { LoggedDelivery, QuarantineEntry } from '../../../core/ports/store.ts';
import { toDevice } from '../../devices.ts';
import { toLogged, toQuarantineEntry } from '../../domain.ts';
import { type Bounds, boundedLimit, firstIdOf, pageOf, rangeOf } from '../../paging.ts';
import { toRefusal } from '../../records.ts';
import { DEVICES, LOGGED_ATTEMPTS, LOGGED_DELIVERIES, QUARANTINED, REFUSALS } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { prepareRows, type Values } from '../reading.ts';

/** About 10 ms, during which a handle that is looked up for a push has to wait. */
const SCANNED_ROWS = 20_000;
const MAX_PER_MILLISECOND = 1_000;

export function preparePages(db: Database.Database, sealer: Sealer) {
  return {
    deliveries: prepareDeliveryPage(db),
    refusals: prepareRefusalPage(db),
    devices: prepareDevicePage(db, sealer),
    quarantine: prepareQuarantinePage(db),
  };
}

function prepareDeliveryPage(db: Database.Database) {
  const bounds = prepareBounds(db, 'deliveries');
  // Ids of the same millisecond are in no order.
  const firstSince = db
    .prepare<[string], number | null>(
      `SELECT min(row_id) FROM (
         SELECT row_id FROM deliveries WHERE id >= ? ORDER BY id LIMIT ${MAX_PER_MILLISECOND})`,
    )
    .pluck();
  const find = prepareRows(
    db,
    LOGGED_DELIVERIES,
    `WHERE row_id >= @from AND row_id < @before AND (@app IS NULL OR app = @app)
       AND (@provider IS NULL OR provider = @provider) AND (@type IS NULL OR type = @type)
       AND (@status IS NULL OR status = @status) AND received_at_ms >= @sinceMs
     ORDER BY row_id DESC LIMIT @limit`,
  );
  const findAttempts = prepareRows(db, LOGGED_ATTEMPTS, 'WHERE row_id = @rowId ORDER BY number');

  return function page(query: DeliveryPageQuery): Page<LoggedDelivery> {
    const { app = null, provider = null, type = null, status = null, sinceMs = 0 } = query;
    const { first, last } = bounds();
    // Rows lie in the order of receipt, and so do ids of UUID version 7.
    const since = sinceMs === 0 ? first : firstSince.get(firstIdOf(sinceMs));
    if (since === undefined || since === null) return { entries: [] };
    const values = { app, provider, type, status, sinceMs };
    const found = readRange(query, { first: Math.max(first, since), last }, (range) =>
      find({ ...values, ...range }),
    );
    return {
      next: found.next,
      entries: found.entries.map((row) => toLogged(row, findAttempts({ rowId: row.row_id }))),
    };
  };
}

function prepareRefusalPage(db: Database.Database) {
  const bounds = prepareBounds(db, 'refusals');
  const find = prepareRows(
    db,
    REFUSALS,
    `WHERE row_id >= @from AND row_id < @before AND (@app IS NULL OR app = @app)
       AND (@door IS NULL OR door = @door) AND (@code IS NULL OR code = @code)
       AND (@tokenHash IS NULL OR token_hash = @tokenHash)
       AND (@deviceId IS NULL OR device_id = @deviceId) AND last_at_ms >= @sinceMs
     ORDER BY row_id DESC LIMIT @limit`,
  );

  return function page(query: RefusalPageQuery): Page<Refusal> {
    const { app = null, door = null, code = null, tokenHash = null, deviceId = null } = query;
    const values = { app, door, code, tokenHash, deviceId, sinceMs: query.sinceMs ?? 0 };
    const found = readRange(query, bounds(), (range) => find({ ...values, ...range }));
    return { next: found.next, entries: found.entries.map(toRefusal) };
  };
}

function prepareDevicePage(db: Database.Database, sealer: Sealer) {
  const bounds = prepareBounds(db, 'devices');
  const find = prepareRows(
    db,
    DEVICES,
    `WHERE row_id >= @from AND row_id < @before AND (@app IS NULL OR app = @app)
     ORDER BY row_id DESC LIMIT @limit`,
  );

  return function page(query: DevicePageQuery): Page<Device> {
    const { app = null } = query;
    const found = readRange(query, bounds(), (range) => find({ app, ...range }));
    return {
      next: found.next,
      entries: found.entries.flatMap((row) => toDevice(sealer, row) ?? []),
    };
  };
}

function prepareQuarantinePage(db: Database.Database) {
  const find = prepareRows(
    db,
    QUARANTINED,
    `WHERE (since_ms, token_hash) < (@sinceMs, @tokenHash) AND until_ms > @wallMs
       AND (@app IS NULL OR app = @app)
     ORDER BY since_ms DESC, token_hash DESC LIMIT @limit`,
  );

  return function page(query: QuarantinePageQuery): Page<QuarantineEntry, QuarantineCursor> {
    const { cursor, wallMs, app = null } = query;
    const { sinceMs, tokenHash } = cursor ?? { sinceMs: Number.MAX_SAFE_INTEGER, tokenHash: '' };
    const limit = boundedLimit(query.limit);
    const entries = find({ sinceMs, tokenHash, wallMs, app, limit }).map(toQuarantineEntry);
    return { entries, next: entries.length === limit ? entries.at(-1) : undefined };
  };
}

function prepareBounds(db: Database.Database, table: string): () => Bounds {
  const find = db.prepare<[], { readonly first: number | null; readonly last: number | null }>(
    `SELECT (SELECT min(row_id) FROM ${table}) AS first, (SELECT max(row_id) FROM ${table}) AS last`,
  );
  return () => {
    const { first, last } = find.get() ?? {};
    return { first: first ?? 1, last: last ?? 0 };
  };
}

function readRange<Row extends { readonly row_id: number }>(
  query: { readonly cursor?: number | undefined; readonly limit: number },
  bounds: Bounds,
  find: (range: Values) => readonly Row[],
): Page<Row> {
  const range = rangeOf(query, bounds, SCANNED_ROWS);
  return pageOf(find({ ...range }), range, bounds);
}

// Lists for operators, page by page and newest first. A page reads a bounded range of rows, so that a filter without
// matches does not read the whole table: such a page is short or empty, and says where to continue.

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
import { type Bounds, boundedLimit, firstIdOf, pageOf, rangeOf } from '../../paging.ts';
import { toRefusal } from '../../records.ts';
import { DEVICES, LOGGED_DELIVERIES, QUARANTINED, REFUSALS, type Rows } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Run } from '../database.ts';
import { toQuarantined } from '../operations/quarantined.ts';
import { readLogged } from '../operations/search.ts';
import { compute, select, type Values } from '../statements.ts';
import { type Times, wall } from '../times.ts';

const SCANNED_ROWS = 20_000;
const MAX_PER_MILLISECOND = 1_000;

export async function deliveryPage(
  run: Run,
  query: DeliveryPageQuery,
): Promise<Page<LoggedDelivery>> {
  const { sinceMs = 0 } = query;
  const bounds = await boundsOf(run, 'deliveries');
  // Rows lie in the order of receipt, and so do ids of UUID version 7; those of the same millisecond are in no order.
  const since = sinceMs === 0 ? bounds.first : await firstSince(run, sinceMs);
  if (since === undefined) return { entries: [] };
  const condition = `${IN_RANGE} AND (@app::text IS NULL OR app = @app)
    AND (@provider::text IS NULL OR provider = @provider) AND (@type::text IS NULL OR type = @type)
    AND (@status::text IS NULL OR status = @status) AND received_at >= @since ${NEWEST_FIRST}`;
  const values = {
    ...{ app: query.app ?? null, provider: query.provider ?? null, type: query.type ?? null },
    ...{ status: query.status ?? null, since: wall(sinceMs) },
  };
  const range = { ...bounds, first: Math.max(bounds.first, since) };
  const { entries, next } = await readRange(query, range, (within) =>
    select(run, LOGGED_DELIVERIES, condition, { ...values, ...within }),
  );
  const found = await readLogged(run, entries);
  // Pages do not contain wakes.
  return { next, entries: found.map(({ wake: _, ...delivery }) => delivery) };
}

export async function refusalPage(run: Run, query: RefusalPageQuery): Promise<Page<Refusal>> {
  const condition = `${IN_RANGE} AND (@app::text IS NULL OR app = @app)
    AND (@door::text IS NULL OR door = @door) AND (@code::text IS NULL OR code = @code)
    AND (@tokenHash::text IS NULL OR token_hash = @tokenHash)
    AND (@deviceId::text IS NULL OR device_id = @deviceId) AND last_at >= @since ${NEWEST_FIRST}`;
  const values = {
    ...{ app: query.app ?? null, door: query.door ?? null, code: query.code ?? null },
    ...{ tokenHash: query.tokenHash ?? null, deviceId: query.deviceId ?? null },
    since: wall(query.sinceMs ?? 0),
  };
  const { entries, next } = await readRange(query, await boundsOf(run, 'refusals'), (within) =>
    select(run, REFUSALS, condition, { ...values, ...within }),
  );
  return { next, entries: entries.map(toRefusal) };
}

export async function devicePage(
  run: Run,
  query: DevicePageQuery,
  sealer: Sealer,
): Promise<Page<Device>> {
  const condition = `${IN_RANGE} AND (@app::text IS NULL OR app = @app) ${NEWEST_FIRST}`;
  const { entries, next } = await readRange(query, await boundsOf(run, 'devices'), (within) =>
    select(run, DEVICES, condition, { app: query.app ?? null, ...within }),
  );
  return { next, entries: entries.flatMap((row) => toDevice(sealer, row) ?? []) };
}

export async function quarantinePage(
  run: Run,
  { cursor, wallMs, app, limit: wanted }: QuarantinePageQuery,
  times: Times,
): Promise<Page<QuarantineEntry, QuarantineCursor>> {
  const limit = boundedLimit(wanted);
  const rows = await select(
    run,
    QUARANTINED,
    `WHERE (@since::timestamptz IS NULL OR (since, token_hash) < (@since, @tokenHash))
       AND until > @now AND (@app::text IS NULL OR app = @app)
     ORDER BY since DESC, token_hash DESC LIMIT @limit`,
    {
      since: cursor === undefined ? null : wall(cursor.sinceMs),
      tokenHash: cursor?.tokenHash ?? '',
      now: times.atWall(wallMs),
      app: app ?? null,
      limit,
    },
  );
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return {
    entries: rows.map((row) => toQuarantined(row, times)),
    // The row's own time, because that of an entry changes with the clocks.
    next: last && { sinceMs: last.since_ms, tokenHash: last.token_hash },
  };
}

const BOUNDS_COLUMNS = { first: 'integer?', last: 'integer?' } as const;

async function boundsOf(run: Run, table: string): Promise<Bounds> {
  const sql = `SELECT (SELECT min(row_id) FROM ${table}) AS first, (SELECT max(row_id) FROM ${table}) AS last`;
  const [found] = await compute(run, { columns: BOUNDS_COLUMNS, sql });
  return { first: found?.first ?? 1, last: found?.last ?? 0 };
}

const FIRST_COLUMNS = { row_id: 'integer?' } as const;
const FIRST_SINCE: Rows<typeof FIRST_COLUMNS> = {
  columns: FIRST_COLUMNS,
  sql: `SELECT min(row_id) AS row_id FROM (
      SELECT row_id FROM deliveries WHERE id >= @id ORDER BY id LIMIT ${MAX_PER_MILLISECOND}) AS first`,
};

async function firstSince(run: Run, sinceMs: number): Promise<number | undefined> {
  const [found] = await compute(run, FIRST_SINCE, { id: firstIdOf(sinceMs) });
  return found?.row_id ?? undefined;
}

/** Continues the condition of a page, whose values hold the range. */
const IN_RANGE = 'WHERE row_id >= @from AND row_id < @before';
const NEWEST_FIRST = 'ORDER BY row_id DESC LIMIT @limit';

async function readRange<Row extends { readonly row_id: number }>(
  query: { readonly cursor?: number | undefined; readonly limit: number },
  bounds: Bounds,
  find: (range: Values) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  const range = rangeOf(query, bounds, SCANNED_ROWS);
  return pageOf(await find({ ...range }), range, bounds);
}

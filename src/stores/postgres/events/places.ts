// The order of events. Transactions that write events may end in another order than they began. Events get their places
// after they are committed, from one reader at a time, so that no event can appear before an endpoint's position.

import { DROPPED_EVENTS } from '../../event-rows.ts';
import { lackingOf, toWish } from '../../events.ts';
import { type Column, type RowOf, type Rows, rows, type TableRows } from '../../rows.ts';
import { putCount, takeCount } from '../counts.ts';
import type { Run } from '../database.ts';
import { columnsOf } from '../reading.ts';
import { change, compute, select, type Values } from '../statements.ts';
import { wall } from '../times.ts';

/** How many events are kept, and how many more may accumulate before the next check. */
export const MAX_EVENTS = 100_000;
const LOOK_EVERY = 256;
/** Events per transaction: few, so that none takes long. */
const PLACED_ROWS = 1_000;

const WAITING = rows('events', { row_id: 'integer' });

/** Gives places to the first committed events. Returns the last place. */
export async function placeEvents(run: Run): Promise<number> {
  const last = await takeCount(run, 'events');
  const placed = await change(
    run,
    `UPDATE events SET place = waiting.place
     FROM (
       SELECT row_id, @last::bigint + row_number() OVER (ORDER BY row_id) AS place
       FROM (SELECT row_id FROM events WHERE place IS NULL ORDER BY row_id LIMIT ${PLACED_ROWS}) AS first)
         AS waiting
     WHERE events.row_id = waiting.row_id`,
    { last },
  );
  if (placed === 0) return last;
  const place = last + placed;
  await putCount(run, 'events', place);
  if (Math.floor(place / LOOK_EVERY) !== Math.floor(last / LOOK_EVERY)) {
    await dropEvents(run, { upToPlace: place - MAX_EVENTS, limit: placed + LOOK_EVERY });
  }
  return place;
}

/** Gives places to all committed events. Returns the last place. */
export async function placeAllEvents(run: Run): Promise<number> {
  for (;;) {
    const last = await placeEvents(run);
    if (!(await hasUnplaced(run))) return last;
  }
}

/** Whether some have no place yet; usually none, and then nothing has to be written. */
export async function hasUnplaced(run: Run): Promise<boolean> {
  return (await select(run, WAITING, 'WHERE place IS NULL LIMIT 1')).length > 0;
}

type Columns = Readonly<Record<string, Column>>;

interface Dropping {
  /** Drops up to this place, regardless of age. */
  readonly upToPlace: number;
  /** Drops events from before this, regardless of their place. */
  readonly beforeMs?: number | undefined;
  readonly limit: number;
}

const CURSORS = rows('endpoints', {
  row_id: 'integer',
  id: 'text',
  app: 'text?',
  enabled_events: 'text',
  digest: 'text?',
  cursor: 'integer',
});

/** Oldest first. Counts before it deletes, in the same transaction. All must have their places. */
export async function dropEvents(
  run: Run,
  { upToPlace, beforeMs = Number.NEGATIVE_INFINITY, limit }: Dropping,
): Promise<number> {
  const oldest = await selectPlaced(run, DROPPED_EVENTS, 'ORDER BY place LIMIT @limit', { limit });
  const stays = oldest.findIndex((row) => row.row_id > upToPlace && row.at_ms >= beforeMs);
  const gone = stays === -1 ? oldest : oldest.slice(0, stays);
  const last = gone.at(-1);
  if (last === undefined) return 0;
  for (const row of await select(run, CURSORS, 'ORDER BY row_id FOR UPDATE')) {
    const wish = toWish(row);
    if (wish.hasDigest) continue;
    const lacking = lackingOf(gone, { wish, cursor: row.cursor });
    if (lacking === undefined) continue;
    await change(
      run,
      `UPDATE endpoints SET dropped = dropped + @count, dropped_to = @to,
         dropped_from = coalesce(dropped_from, @from)
       WHERE row_id = @rowId`,
      {
        ...{ rowId: row.row_id, count: lacking.count },
        ...{ from: wall(lacking.fromMs), to: wall(lacking.toMs) },
      },
    );
  }
  await change(run, 'DELETE FROM events WHERE place <= @place', { place: last.row_id });
  return gone.length;
}

/** `place` is read in place of `row_id`. */
export function placedColumnsOf(declared: Rows<Columns>): string {
  return columnsOf(declared).replace('row_id', 'place AS row_id');
}

/** Events that have a place, which is read under the name `row_id`. */
export async function selectPlaced<Declared extends Columns>(
  run: Run,
  declared: TableRows<Declared>,
  condition: string,
  values: Values,
): Promise<readonly RowOf<Rows<Declared>>[]> {
  const { columns, tables } = declared;
  const placed = `SELECT * FROM ${tables} WHERE place IS NOT NULL`;
  const sql = `SELECT ${placedColumnsOf(declared)} FROM (${placed}) AS ${tables} ${condition}`;
  return await compute(run, { columns, sql }, values);
}

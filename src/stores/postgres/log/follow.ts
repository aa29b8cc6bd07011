// New rows of the log since a given moment, for a reader that polls. A row gets its number before it is
// committed, so that it may appear after rows with higher numbers: the last thousand are looked through each time.

import type { Follow, FollowedDelivery } from '../../../core/ports/readable-log.ts';
import { toRefusal } from '../../records.ts';
import { DELIVERY_IDS, REFUSAL_IDS, REFUSALS } from '../../rows.ts';
import type { Database, Run } from '../database.ts';
import { findByRows } from '../operations/search.ts';
import { select } from '../statements.ts';
import { AT_ONE_MOMENT } from './gather.ts';

/** Far more than all machines write in the seconds that a statement may take. */
const LATE_ROWS = 1_000;

type Ids = typeof DELIVERY_IDS | typeof REFUSAL_IDS;

export function createFollow(database: Database): Follow {
  const deliveries = new Table(DELIVERY_IDS);
  const refusals = new Table(REFUSAL_IDS);

  return {
    end: () =>
      database.transaction(async (run) => ({
        delivery: await deliveries.end(run),
        refusal: await refusals.end(run),
      })),
    after: async (place, limit) => {
      const news = await database.transaction(async (run) => {
        await run(AT_ONE_MOMENT);
        const rowIds = await deliveries.after(run, place.delivery, limit);
        const refused = await refusals.after(run, place.refusal, limit);
        const named = 'WHERE row_id = ANY(@refused) ORDER BY row_id';
        return {
          deliveries: await findFollowed(run, rowIds),
          refusals: (await select(run, REFUSALS, named, { refused })).map(toRefusal),
          place: {
            delivery: Math.max(place.delivery, ...rowIds),
            refusal: Math.max(place.refusal, ...refused),
          },
        };
      });
      // Rows that could not be read are read again.
      for (const table of [deliveries, refusals]) table.tell();
      return news;
    },
    deliveries: (rowIds) =>
      database.transaction(async (run) => {
        await run(AT_ONE_MOMENT);
        return await findFollowed(run, rowIds);
      }),
  };
}

/** The oldest first; for a transaction that sees one moment. */
async function findFollowed(
  run: Run,
  rowIds: readonly number[],
): Promise<readonly FollowedDelivery[]> {
  const condition = 'WHERE row_id = ANY(@rowIds) ORDER BY row_id';
  const there = await select(run, DELIVERY_IDS, condition, { rowIds });
  const found = await findByRows(run, rowIds);
  return found
    .toReversed()
    .flatMap((delivery, index) =>
      there.slice(index, index + 1).map((row) => ({ rowId: row.row_id, delivery })),
    );
}

/** The last rows that were reported already. */
class Table {
  readonly #ids: Ids;
  #told: ReadonlySet<number> | undefined;
  #asked: ReadonlySet<number> = new Set();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  /** At the first call, the existing rows count as reported. */
  async end(run: Run): Promise<number> {
    const [newest] = await select(run, this.#ids, 'ORDER BY row_id DESC LIMIT 1');
    const end = newest?.row_id ?? 0;
    this.#told ??= new Set(await this.#from(run, end));
    return end;
  }

  async after(run: Run, place: number, limit: number): Promise<readonly number[]> {
    const there = await this.#from(run, place);
    const told = this.#told ?? new Set();
    const news = there.filter((rowId) => !told.has(rowId)).slice(0, limit);
    this.#asked = new Set([...there.filter((rowId) => told.has(rowId)), ...news]);
    return news;
  }

  /** Marks the rows of the last query as reported. */
  tell(): void {
    this.#told = this.#asked;
  }

  async #from(run: Run, place: number): Promise<readonly number[]> {
    const values = { first: place - LATE_ROWS, rows: 2 * LATE_ROWS };
    const condition = 'WHERE row_id > @first ORDER BY row_id LIMIT @rows';
    return (await select(run, this.#ids, condition, values)).map((row) => row.row_id);
  }
}

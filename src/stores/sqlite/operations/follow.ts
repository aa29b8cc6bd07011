// What came into the log after a moment, for a reader that looks again and again.

import type { Refusal } from '../../../core/ports/records.ts';
import type { LoggedDelivery } from '../../../core/ports/store.ts';
import { toRefusal } from '../../records.ts';
import { DELIVERY_IDS, REFUSAL_IDS, REFUSALS } from '../../rows.ts';
import { prepareRows, type Reading } from '../reading.ts';
import { prepareFindByRow } from './search.ts';

/** The newest row of each table. */
export interface Place {
  readonly delivery: number;
  readonly refusal: number;
}

export interface Follow {
  end(): Place;
  /** Up to `limit` of each, the oldest first. */
  after(place: Place, limit: number): News;
  /** What became of an earlier one; nothing if it was pruned. */
  delivery(rowId: number): LoggedDelivery | undefined;
}

export interface News {
  readonly deliveries: readonly { readonly rowId: number; readonly delivery: LoggedDelivery }[];
  readonly refusals: readonly Refusal[];
  readonly place: Place;
}

const NEWEST = 'ORDER BY row_id DESC LIMIT 1';
const AFTER = 'WHERE row_id > @after ORDER BY row_id LIMIT @limit';

export function prepareFollow(db: Reading): Follow {
  const newestDelivery = prepareRows(db, DELIVERY_IDS, NEWEST);
  const newestRefusal = prepareRows(db, REFUSAL_IDS, NEWEST);
  const deliveriesAfter = prepareRows(db, DELIVERY_IDS, AFTER);
  const refusalsAfter = prepareRows(db, REFUSALS, AFTER);
  const findDelivery = prepareFindByRow(db);

  return {
    end: () => ({
      delivery: newestDelivery()[0]?.row_id ?? 0,
      refusal: newestRefusal()[0]?.row_id ?? 0,
    }),
    after: (place, limit) => {
      const rowIds = deliveriesAfter({ after: place.delivery, limit }).map((row) => row.row_id);
      const refusals = refusalsAfter({ after: place.refusal, limit });
      return {
        deliveries: rowIds.flatMap((rowId) =>
          findDelivery(rowId).map((delivery) => ({ rowId, delivery })),
        ),
        refusals: refusals.map(toRefusal),
        place: {
          delivery: rowIds.at(-1) ?? place.delivery,
          refusal: refusals.at(-1)?.row_id ?? place.refusal,
        },
      };
    },
    delivery: (rowId) => findDelivery(rowId)[0],
  };
}

// New rows of the log since a given moment, for a reader that polls.

import type { FollowedDelivery, News, Place } from '../../../core/ports/readable-log.ts';
import { toRefusal } from '../../records.ts';
import { DELIVERY_IDS, REFUSAL_IDS, REFUSALS } from '../../rows.ts';
import { prepareRows, type Reading } from '../reading.ts';
import { prepareFindByRow } from './search.ts';

const NEWEST = 'ORDER BY row_id DESC LIMIT 1';
const AFTER = 'WHERE row_id > @after ORDER BY row_id LIMIT @limit';

/** As in `Follow`, but synchronous. */
export function prepareFollow(db: Reading) {
  const newestDelivery = prepareRows(db, DELIVERY_IDS, NEWEST);
  const newestRefusal = prepareRows(db, REFUSAL_IDS, NEWEST);
  const deliveriesAfter = prepareRows(db, DELIVERY_IDS, AFTER);
  const refusalsAfter = prepareRows(db, REFUSALS, AFTER);
  const findDelivery = prepareFindByRow(db);

  const findDeliveries = (rowIds: readonly number[]): readonly FollowedDelivery[] =>
    rowIds.flatMap((rowId) => findDelivery(rowId).map((delivery) => ({ rowId, delivery })));

  return {
    end: (): Place => ({
      delivery: newestDelivery()[0]?.row_id ?? 0,
      refusal: newestRefusal()[0]?.row_id ?? 0,
    }),
    after: (place: Place, limit: number): News => {
      const rowIds = deliveriesAfter({ after: place.delivery, limit }).map((row) => row.row_id);
      const refusals = refusalsAfter({ after: place.refusal, limit });
      return {
        deliveries: findDeliveries(rowIds),
        refusals: refusals.map(toRefusal),
        place: {
          delivery: rowIds.at(-1) ?? place.delivery,
          refusal: refusals.at(-1)?.row_id ?? place.refusal,
        },
      };
    },
    deliveries: findDeliveries,
  };
}

// What callers were told, beside their deliveries. The first answer stays.

import type { Told } from '../../../core/ports/records.ts';
import type { Run } from '../database.ts';
import { change } from '../statements.ts';
import { wall } from '../times.ts';

export async function writeTold(run: Run, told: readonly Told[]): Promise<void> {
  if (told.length === 0) return;
  const first = new Map(told.toReversed().map((one) => [one.deliveryId, one]));
  const all = [...first.values()].toSorted((one, other) =>
    one.deliveryId < other.deliveryId ? -1 : 1,
  );
  await change(
    run,
    `UPDATE deliveries SET told = given.told, told_status = given.status, told_at = given.at
     FROM unnest(@ids::text[], @told::text[], @statuses::integer[], @at::timestamptz[])
       AS given (id, told, status, at)
     WHERE deliveries.id = given.id AND deliveries.told IS NULL`,
    {
      ids: all.map(({ deliveryId }) => deliveryId),
      told: all.map((one) => one.told),
      statuses: all.map(({ status }) => status),
      at: all.map(({ atMs }) => wall(atMs)),
    },
  );
}

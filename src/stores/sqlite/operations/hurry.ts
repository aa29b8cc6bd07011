// Makes one queued delivery due at once, for an operator. A delivery that is being sent or held stays as it is, so that
// no phone is woken twice.

import type Database from 'better-sqlite3';
import type { Hurried } from '../../../core/ports/operating.ts';
import { HURRIED_DELIVERIES, type RowOf } from '../../rows.ts';
import { nameOf, PROVIDERS, wholeMs } from '../../values.ts';

export interface Hurry {
  readonly deliveryId: string;
  readonly nowMs: number;
}

export function prepareHurry(db: Database.Database) {
  const find = db.prepare<[string], RowOf<typeof HURRIED_DELIVERIES>>(
    `${HURRIED_DELIVERIES.sql} WHERE row_id = (SELECT row_id FROM deliveries WHERE id = ?)`,
  );
  const makeDue = db.prepare(
    'UPDATE queue SET due_at_ms = min(due_at_ms, @nowMs) WHERE row_id = @rowId',
  );

  return function hurry({ deliveryId, nowMs }: Hurry): Hurried {
    const row = find.get(deliveryId);
    if (row === undefined) return { kind: 'unknown' };
    const { row_id: rowId, due_at_ms, lease_until_ms, not_before_ms, app, provider } = row;
    if (due_at_ms === null) return { kind: 'ended' };
    if (lease_until_ms !== null && lease_until_ms > nowMs) return { kind: 'under_way' };
    if (not_before_ms !== null && not_before_ms > nowMs) {
      return { kind: 'held', untilMs: not_before_ms };
    }
    makeDue.run({ rowId, nowMs: wholeMs(nowMs) });
    return { kind: 'due', app, provider: nameOf(PROVIDERS, provider) };
  };
}

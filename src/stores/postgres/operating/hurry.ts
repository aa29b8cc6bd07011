// Makes one queued delivery due at once, for an operator. A delivery that is being sent or held stays as it is, so that
// no phone is woken twice.

import type { Hurried, OperatingStore } from '../../../core/ports/operating.ts';
import { HURRIED_DELIVERIES } from '../../rows.ts';
import { nameOf, PROVIDERS } from '../../values.ts';
import type { Run } from '../database.ts';
import { change, select } from '../statements.ts';
import type { Times } from '../times.ts';

export async function hurry(
  run: Run,
  { deliveryId, nowMs }: Parameters<OperatingStore['hurry']>[0],
  times: Times,
): Promise<Hurried> {
  const id = { deliveryId };
  await change(
    run,
    `SELECT 1 FROM queue WHERE row_id = (SELECT row_id FROM deliveries WHERE id = @deliveryId) FOR UPDATE`,
    id,
  );
  const [row] = await select(run, HURRIED_DELIVERIES, 'WHERE deliveries.id = @deliveryId', id);
  if (row === undefined) return { kind: 'unknown' };
  const { row_id: rowId, due_at_ms, lease_until_ms, not_before_ms, app, provider } = row;
  if (due_at_ms === null) return { kind: 'ended' };
  if (lease_until_ms !== null && times.from(lease_until_ms) > nowMs) return { kind: 'under_way' };
  if (not_before_ms !== null && times.from(not_before_ms) > nowMs) {
    return { kind: 'held', untilMs: times.from(not_before_ms) };
  }
  const now = times.at(nowMs);
  await change(run, 'UPDATE queue SET due_at = least(due_at, @now) WHERE row_id = @rowId', {
    ...{ rowId, now },
  });
  return { kind: 'due', app, provider: nameOf(PROVIDERS, provider) };
}

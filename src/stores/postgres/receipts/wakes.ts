// The wake that a push should cause, and the receipts for it.

import type { DeliveryWake } from '../../../core/ports/receipts.ts';
import type { WakeHistory } from '../../../core/receipts/history.ts';
import type { Receipt } from '../../../core/receipts/receipt.ts';
import { RECEIPTS, WAKES } from '../../receipt-rows.ts';
import { toWake } from '../../receipts.ts';
import type { RowOf } from '../../rows.ts';
import type { Run } from '../database.ts';
import { change, select } from '../statements.ts';
import { maybeWall, wall } from '../times.ts';

interface Place {
  readonly row_id: number;
}

const MAKE = `INSERT INTO wakes (row_id, asked, recent, sender) VALUES (@rowId, @asked, '', false)
  ON CONFLICT (row_id) DO NOTHING`;

export async function putUnasked(run: Run, { row_id: rowId }: Place): Promise<void> {
  await change(run, MAKE, { rowId, asked: false });
}

export async function putAccepted(
  run: Run,
  { row_id: rowId }: Place,
  push: { readonly atMs: number; readonly number: number | null; readonly history: WakeHistory },
): Promise<void> {
  const { recent, lastWakeAtMs } = push.history;
  await change(
    run,
    `INSERT INTO wakes (row_id, asked, accepted_at, push_number, recent, sender)
     VALUES (@rowId, true, @at, @number, @recent, @sender)
     ON CONFLICT (row_id) DO UPDATE SET asked = true, accepted_at = excluded.accepted_at,
       push_number = excluded.push_number, recent = excluded.recent, sender = excluded.sender`,
    { rowId, at: wall(push.atMs), number: push.number, recent, sender: lastWakeAtMs !== undefined },
  );
}

export async function putKnock(
  run: Run,
  { row_id: rowId }: Place,
  atMs: number | undefined,
): Promise<void> {
  await change(run, 'UPDATE wakes SET knocked_at = @at WHERE row_id = @rowId', {
    ...{ rowId, at: maybeWall(atMs) },
  });
}

export async function putKnockOutcome(
  run: Run,
  { row_id: rowId }: Place,
  outcome: string,
): Promise<void> {
  const sql = 'UPDATE wakes SET knock_outcome = @outcome WHERE row_id = @rowId';
  await change(run, sql, { rowId, outcome });
}

export async function putKnockResult(
  run: Run,
  { row_id: rowId }: Place,
  result: 'rescued' | 'late' | 'useless',
): Promise<void> {
  const sql = 'UPDATE wakes SET knock_result = @result WHERE row_id = @rowId';
  await change(run, sql, { rowId, result });
}

/** In the order of their arrival. */
export function findReceipts(
  run: Run,
  { row_id: rowId }: Place,
): Promise<readonly RowOf<typeof RECEIPTS>[]> {
  return select(run, RECEIPTS, 'WHERE row_id = @rowId ORDER BY number', { rowId });
}

export async function putReceipt(
  run: Run,
  { row_id: rowId }: Place,
  given: { readonly receipt: Receipt; readonly atMs: number; readonly number: number },
): Promise<void> {
  const { stage, n, sinceArrivalMs = null, why = null, isShown = null } = given.receipt;
  const { priority = null, originalPriority = null } = given.receipt;
  await change(run, MAKE, { rowId, asked: true });
  await change(
    run,
    `INSERT INTO receipts (row_id, number, received_at, stage, n, since_arrival_ms, why, shown,
       priority, original_priority)
     VALUES (@rowId, @number, @at, @stage, @n, @sinceArrivalMs, @why, @isShown, @priority,
       @originalPriority)`,
    {
      ...{ rowId, number: given.number, at: wall(given.atMs), stage, n, sinceArrivalMs, why },
      ...{ isShown, priority, originalPriority },
    },
  );
}

/** By the rows of their deliveries. */
export async function readWakes(
  run: Run,
  rowIds: readonly number[],
): Promise<ReadonlyMap<number, DeliveryWake>> {
  const wakes = await select(run, WAKES, 'WHERE row_id = ANY(@rowIds)', { rowIds });
  if (wakes.length === 0) return new Map();
  const condition = 'WHERE row_id = ANY(@rowIds) ORDER BY number';
  const found = await select(run, RECEIPTS, condition, { rowIds });
  const receipts = Map.groupBy(found, ({ row_id }) => row_id);
  return new Map(wakes.map((wake) => [wake.row_id, toWake(wake, receipts.get(wake.row_id) ?? [])]));
}

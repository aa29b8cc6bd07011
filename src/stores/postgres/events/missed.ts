// Pushes that the provider took and that no receipt answered, from phones that send them (`delivery.no_wake`). Each
// awaited receipt has a row: a receipt or a reply deletes it, or else the sweep does, together with the event.

import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import type { AcceptedPush, ReceiptStore } from '../../../core/ports/receipts.ts';
import type { NewEvent } from '../../events.ts';
import { DEAF_STOP_MS, MISSED, wasHeard } from '../../missed.ts';
import { AWAITED_RECEIPTS, MISSED_DELIVERIES } from '../../receipt-rows.ts';
import { type RowOf, rows } from '../../rows.ts';
import type { Run } from '../database.ts';
import { change, select } from '../statements.ts';
import { wall } from '../times.ts';
import { isAnyWished, recordEvents } from './recording.ts';

type Awaited = RowOf<typeof AWAITED_RECEIPTS>;

const STOPS = rows('gaps', { began_at_ms: 'integer', ended_at_ms: 'integer' });

/** No row if no endpoint asked for the event or the phone never sent a receipt. */
export async function expectReceipt(
  run: Run,
  { deliveryId, atMs, tokenSha256, awaited }: AcceptedPush,
): Promise<void> {
  if (awaited === undefined || !(await isAnyWished(run, [MISSED]))) return;
  const { untilMs, subjectSha256 = null } = awaited;
  // Only for the push that was just recorded: after a crash a delivery may be pushed twice.
  await change(
    run,
    `INSERT INTO awaited_receipts (row_id, accepted_at, until, token_sha256, subject_sha256)
     SELECT row_id, accepted_at, @until::timestamptz, @tokenSha256, @subjectSha256
     FROM deliveries JOIN wakes USING (row_id)
     WHERE id = @deliveryId AND accepted_at = @at AND sender AND answered_at IS NULL
       AND token_hash <> '${FORGOTTEN_TOKEN}'
       AND NOT EXISTS (SELECT FROM receipts WHERE receipts.row_id = deliveries.row_id)
     ON CONFLICT (row_id) DO NOTHING`,
    { deliveryId, tokenSha256, subjectSha256, at: wall(atMs), until: wall(untilMs) },
  );
}

export async function endWaiting(run: Run, deliveryId: string): Promise<void> {
  await change(
    run,
    `DELETE FROM awaited_receipts
     WHERE row_id = (SELECT row_id FROM deliveries WHERE id = @deliveryId)`,
    { deliveryId },
  );
}

/** Each row is handled by one machine: rows that another one has locked are skipped. */
export async function noteMissed(
  run: Run,
  { atMs, endedBeforeMs, judgedFromMs, limit }: Parameters<ReceiptStore['noteMissed']>[0],
): Promise<number> {
  const over = await select(
    run,
    AWAITED_RECEIPTS,
    'WHERE until < @before ORDER BY until LIMIT @limit FOR UPDATE SKIP LOCKED',
    { before: wall(endedBeforeMs), limit },
  );
  if (over.length === 0) return 0;
  const judged = over.filter(({ until_ms }) => until_ms >= judgedFromMs);
  await recordEvents(run, await eventsOf(run, await heard(run, judged), atMs));
  const rowIds = over.map(({ row_id }) => row_id);
  return await change(run, 'DELETE FROM awaited_receipts WHERE row_id = ANY(@rowIds)', { rowIds });
}

/** Pushes during whose time the service never stopped. */
async function heard(run: Run, judged: readonly Awaited[]): Promise<readonly Awaited[]> {
  if (judged.length === 0) return [];
  const first = Math.min(...judged.map(({ accepted_at_ms }) => accepted_at_ms));
  const stops = await select(
    run,
    STOPS,
    `WHERE kind = 'stopped' AND ended_at > @first
       AND ended_at - began_at >= interval '${DEAF_STOP_MS} milliseconds'`,
    { first: wall(first) },
  );
  return judged.filter((row) => wasHeard(row, stops));
}

/** Deleted devices and forgotten phones are not reported. */
async function eventsOf(
  run: Run,
  awaited: readonly Awaited[],
  atMs: number,
): Promise<readonly NewEvent[]> {
  const found = await select(
    run,
    MISSED_DELIVERIES,
    `WHERE row_id = ANY(@rowIds) AND token_hash <> '${FORGOTTEN_TOKEN}'
       AND (device_id IS NULL OR device_id IN (SELECT id FROM devices))`,
    { rowIds: awaited.map(({ row_id }) => row_id) },
  );
  const missed = new Map(found.map((row) => [row.row_id, row]));
  return awaited.flatMap(({ row_id, token_sha256, subject_sha256 }) => {
    const row = missed.get(row_id);
    if (row === undefined) return [];
    return [
      {
        ...{ atMs, type: MISSED, app: row.app, provider: row.provider, deliveryId: row.id },
        ...{ deviceId: row.device_id ?? undefined, notificationType: row.type },
        ...{ tokenHash: row.token_hash, tokenSha256: token_sha256 },
        subjectSha256: subject_sha256 ?? undefined,
      },
    ];
  });
}

// Pushes that the provider took and that no receipt answered, from phones that send them (`delivery.no_wake`). Each
// awaited receipt has a row: a receipt or a reply deletes it, or else the sweep does, together with the event.

import type Database from 'better-sqlite3';
import { FORGOTTEN_TOKEN } from '../../../core/ports/operating.ts';
import type { AcceptedPush, ReceiptStore } from '../../../core/ports/receipts.ts';
import { DEAF_STOP_MS, MISSED, wasHeard } from '../../missed.ts';
import { AWAITED_RECEIPTS, MISSED_DELIVERIES } from '../../receipt-rows.ts';
import type { RowOf } from '../../rows.ts';
import { wholeMs } from '../../values.ts';
import type { EventRecording } from './recording.ts';

type Awaited = RowOf<typeof AWAITED_RECEIPTS>;
interface Stop {
  readonly began_at_ms: number;
  readonly ended_at_ms: number;
}

export function prepareMissedReceipts(db: Database.Database, recording: EventRecording) {
  // Only for the push that was just recorded: after a crash a delivery may be pushed twice.
  const expect = db.prepare(
    `INSERT OR IGNORE INTO awaited_receipts (row_id, accepted_at_ms, until_ms, token_sha256, subject_sha256)
     SELECT row_id, accepted_at_ms, @untilMs, @tokenSha256, @subjectSha256
     FROM deliveries JOIN wakes USING (row_id)
     WHERE id = @deliveryId AND accepted_at_ms = @atMs AND sender = 1 AND answered_at_ms IS NULL
       AND token_hash <> '${FORGOTTEN_TOKEN}'
       AND NOT EXISTS (SELECT 1 FROM receipts WHERE receipts.row_id = deliveries.row_id)`,
  );
  const answered = db.prepare<[string]>(
    'DELETE FROM awaited_receipts WHERE row_id = (SELECT row_id FROM deliveries WHERE id = ?)',
  );
  const findOver = db.prepare<[number, number], Awaited>(
    `${AWAITED_RECEIPTS.sql} WHERE until_ms < ? ORDER BY until_ms LIMIT ?`,
  );
  const findStops = db.prepare<[number], Stop>(
    `SELECT began_at_ms, ended_at_ms FROM gaps
     WHERE kind = 'stopped' AND ended_at_ms > ? AND ended_at_ms - began_at_ms >= ${DEAF_STOP_MS}`,
  );
  // Deleted devices and forgotten phones are not reported.
  const findMissed = db.prepare<[number], RowOf<typeof MISSED_DELIVERIES>>(
    `${MISSED_DELIVERIES.sql} WHERE row_id = ? AND token_hash <> '${FORGOTTEN_TOKEN}'
       AND (device_id IS NULL OR device_id IN (SELECT id FROM devices))`,
  );
  const forget = db.prepare<[number]>('DELETE FROM awaited_receipts WHERE row_id = ?');

  function tell({ row_id, token_sha256, subject_sha256 }: Awaited, atMs: number): void {
    const missed = findMissed.get(row_id);
    if (missed === undefined) return;
    recording.record({
      atMs,
      type: MISSED,
      app: missed.app,
      provider: missed.provider,
      deliveryId: missed.id,
      deviceId: missed.device_id ?? undefined,
      notificationType: missed.type,
      tokenHash: missed.token_hash,
      tokenSha256: token_sha256,
      subjectSha256: subject_sha256 ?? undefined,
    });
  }

  return {
    /** No row if no endpoint asked for the event or the phone never sent a receipt. */
    expect({ deliveryId, atMs, tokenSha256, awaited }: AcceptedPush): void {
      if (awaited === undefined || !recording.isWished(MISSED)) return;
      const { untilMs, subjectSha256 = null } = awaited;
      expect.run({
        ...{ deliveryId, tokenSha256, subjectSha256 },
        ...{ atMs: wholeMs(atMs), untilMs: wholeMs(untilMs) },
      });
    },
    answered: ({ deliveryId }: { readonly deliveryId: string }) => answered.run(deliveryId),
    note(options: Parameters<ReceiptStore['noteMissed']>[0]): number {
      const { atMs, endedBeforeMs, judgedFromMs, limit } = options;
      const over = findOver.all(wholeMs(endedBeforeMs), limit);
      const first = Math.min(...over.map((row) => row.accepted_at_ms));
      const stops = over.length === 0 ? [] : findStops.all(first);
      for (const row of over) {
        if (row.until_ms >= judgedFromMs && wasHeard(row, stops)) tell(row, atMs);
        forget.run(row.row_id);
      }
      return over.length;
    },
  };
}

// The end of an open delivery: its row leaves the queue with its content, its duplicate key is released unless it was
// delivered, and the devices with its token are updated.

import type Database from 'better-sqlite3';
import type { DeliveryStatus } from '../../../core/delivery.ts';
import type { Told } from '../../../core/ports/records.ts';
import type { OPEN_DELIVERIES, RowOf } from '../../rows.ts';
import { DEVICE_DELETED, wholeMs } from '../../values.ts';
import type { EventRecording } from '../events/recording.ts';

/** The precision of a device's `seen_at_ms`: one write a day instead of one for each push. */
const SIGHTING_MS = 86_400_000;

export type OpenRow = Pick<
  RowOf<typeof OPEN_DELIVERIES>,
  'row_id' | 'id' | 'token_hash' | 'key_hash'
>;

export interface End {
  readonly status: Exclude<DeliveryStatus, 'queued'>;
  readonly reason?: string | null | undefined;
  readonly wallMs: number;
  /** The number of its last attempt. */
  readonly attempts?: number | undefined;
  readonly told?: Told | undefined;
  /** Keeps the duplicate key for the rest of its window although the delivery ended undelivered. */
  readonly keepKey?: boolean | undefined;
}

export type Finish = (row: OpenRow, end: End) => void;

export function prepareFinish(db: Database.Database, recording: EventRecording): Finish {
  const settleRow = db.prepare(
    `UPDATE deliveries SET status = ?, reason = ?, settled_at_ms = ?, attempts = max(attempts, ?),
       told = coalesce(told, ?), told_status = coalesce(told_status, ?),
       told_at_ms = coalesce(told_at_ms, ?)
     WHERE row_id = ?`,
  );
  const leave = db.prepare('DELETE FROM queue WHERE row_id = ?');
  // Unless another delivery holds it now.
  const releaseKey = db.prepare(
    'DELETE FROM duplicate_keys WHERE key_hash = ? AND delivery_id = ?',
  );
  const noteSighting = prepareSightings(db);

  return function finish(row, end) {
    const { status, reason, wallMs, attempts = 0, told, keepKey = false } = end;
    // The program that deleted the device knows that, and may want it forgotten.
    if (reason !== DEVICE_DELETED) recording.recordEnd(row, end);
    settleRow.run(
      status,
      reason ?? null,
      wholeMs(wallMs),
      attempts,
      told?.told ?? null,
      told?.status ?? null,
      told === undefined ? null : wholeMs(told.atMs),
      row.row_id,
    );
    leave.run(row.row_id);
    if (row.key_hash !== null && status !== 'delivered' && !keepKey) {
      releaseKey.run(row.key_hash, row.id);
    }
    noteSighting(row.token_hash, { status, atMs: wholeMs(wallMs) });
  };
}

/** Runs at every end: costs one index lookup unless there is something to write. */
function prepareSightings(db: Database.Database) {
  const noteDead = db.prepare<[number, string]>(
    `UPDATE devices INDEXED BY devices_by_token SET dead_since_ms = ?
     WHERE token_hash = ? AND dead_since_ms IS NULL`,
  );
  const noteSeen = db.prepare<[number, string, number]>(
    `UPDATE devices INDEXED BY devices_by_token SET seen_at_ms = ?, dead_since_ms = NULL
     WHERE token_hash = ? AND (seen_at_ms <= ? OR dead_since_ms IS NOT NULL)`,
  );

  return function noteSighting(
    tokenHash: string,
    { status, atMs }: { readonly status: DeliveryStatus; readonly atMs: number },
  ): void {
    if (status === 'delivered') noteSeen.run(atMs, tokenHash, atMs - SIGHTING_MS);
    else if (status === 'unregistered') noteDead.run(atMs, tokenHash);
  };
}

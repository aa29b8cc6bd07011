// What the end of a delivery tells of the devices with its token. Runs with every settlement, so it costs
// a look into an index unless there is something to note.

import type Database from 'better-sqlite3';
import type { DeliveryStatus } from '../../core/delivery.ts';
import { wholeMs } from './codec.ts';

/** How exactly it is known when a device was seen; one write a day, not one for each push. */
const SIGHTING_MS = 86_400_000;

/** How a delivery ended. */
interface Ended {
  readonly status: DeliveryStatus;
  readonly nowMs: number;
}

export function prepareSightings(db: Database.Database) {
  const findToken = db
    .prepare<[number], Buffer>('SELECT token_hash FROM deliveries WHERE row_id = ?')
    .pluck();
  const bury = db.prepare<[number, Buffer]>(
    `UPDATE devices INDEXED BY devices_by_token SET dead_since_ms = ?
     WHERE token_hash = ? AND dead_since_ms IS NULL`,
  );
  const revive = db.prepare<[number, Buffer, number]>(
    `UPDATE devices INDEXED BY devices_by_token SET seen_at_ms = ?, dead_since_ms = NULL
     WHERE token_hash = ? AND (seen_at_ms <= ? OR dead_since_ms IS NOT NULL)`,
  );

  function ofToken(tokenHash: Buffer, { status, nowMs }: Ended): void {
    const atMs = wholeMs(nowMs);
    if (status === 'delivered') revive.run(atMs, tokenHash, atMs - SIGHTING_MS);
    else if (status === 'unregistered') bury.run(atMs, tokenHash);
  }

  return {
    ofToken,
    /** Of the token of a delivery in the log. */
    ofRow(rowId: number, ended: Ended): void {
      const tokenHash = findToken.get(rowId);
      if (tokenHash !== undefined) ofToken(tokenHash, ended);
    },
  };
}

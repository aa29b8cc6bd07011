// What the end of a delivery tells of the devices with its token. Runs with every settlement, so it costs
// a look into an index unless there is something to note.

import type Database from 'better-sqlite3';
import type { DeliveryStatus } from '../../core/delivery.ts';
import { wholeMs } from './codec.ts';

/** How exactly it is known when a device was seen; one write a day, not one for each push. */
const SIGHTING_MS = 86_400_000;

export interface Sighting {
  /** Of the delivery. */
  readonly rowId: number;
  readonly status: DeliveryStatus;
  readonly nowMs: number;
}

export function prepareSightings(db: Database.Database) {
  const bury = db.prepare<[number, number]>(
    `UPDATE devices INDEXED BY devices_by_token SET dead_since_ms = ?
     WHERE token_hash = (SELECT token_hash FROM deliveries WHERE row_id = ?) AND dead_since_ms IS NULL`,
  );
  const revive = db.prepare<[number, number, number]>(
    `UPDATE devices INDEXED BY devices_by_token SET seen_at_ms = ?, dead_since_ms = NULL
     WHERE token_hash = (SELECT token_hash FROM deliveries WHERE row_id = ?) AND (seen_at_ms <= ? OR dead_since_ms IS NOT NULL)`,
  );

  return function note({ rowId, status, nowMs }: Sighting): void {
    const atMs = wholeMs(nowMs);
    if (status === 'delivered') revive.run(atMs, rowId, atMs - SIGHTING_MS);
    else if (status === 'unregistered') bury.run(atMs, rowId);
  };
}

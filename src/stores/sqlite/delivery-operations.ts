// Writing the life of a delivery. Accepted, it lies in the journal; ended by its first try, it becomes a row of the
// log at once; else, or when somebody looks for what waits, it moves to the tables of the queue.

import type Database from 'better-sqlite3';
import { packFingerprint, packUuid, wholeMs } from './codec.ts';
import { prepareSightings } from './device-sightings.ts';
import type { Held, Journal } from './journal.ts';
import { type End, type OpenRow, prepareKeyRelease, prepareOpenRows } from './open-rows.ts';
import {
  type PackedAcceptance,
  type PackedAttempt,
  type PackedSettlement,
  unpackAcceptance,
} from './packed.ts';
import type { Sealer } from './seal.ts';
import { prepareAttempt, prepareSettledRow } from './settled-rows.ts';

export type DeliveryOperations = ReturnType<typeof prepareDeliveryOperations>;
export type Finish = (row: OpenRow, end: End) => void;

/** The reason of a delivery whose device was deleted before it was delivered. */
export const DEVICE_DELETED = 'device_deleted';

/** What every end leaves behind, wherever the delivery was. */
interface Recording {
  readonly recordAttempt: ReturnType<typeof prepareAttempt>;
  readonly noteSighting: ReturnType<typeof prepareSightings>;
}

interface Parts {
  readonly db: Database.Database;
  readonly sealer: Sealer;
  readonly journal: Journal;
}

export function prepareDeliveryOperations({ db, sealer, journal }: Parts) {
  const openRows = prepareOpenRows(db, sealer);
  const recordAttempt = prepareAttempt(db);
  const noteSighting = prepareSightings(db);
  const endInJournal = prepareEnd(db, { recordAttempt, noteSighting });
  const findRow = db.prepare<[Buffer]>('SELECT 1 FROM deliveries WHERE id = ?');
  const isWritten = (id: Buffer) => findRow.get(id) !== undefined;

  function settle(settlement: PackedSettlement): boolean {
    const [deliveryId, owner, nowMs, attempt, next] = settlement;
    const held = journal.find(deliveryId);
    if (held === undefined) return settleInQueue(settlement);
    if (held.accepted.owner !== owner) return false;
    journal.take(deliveryId);
    if (next[0] === 'queued') {
      openRows.insert(held.accepted);
      return settleInQueue(settlement);
    }
    const [status, reason] = next;
    endInJournal(held, attempt, { status, reason, nowMs });
    return true;
  }

  function settleInQueue(settlement: PackedSettlement): boolean {
    const [deliveryId, owner, nowMs, attempt, next] = settlement;
    const id = packUuid(deliveryId);
    if (next[0] === 'queued') {
      const [, dueAtMs, keepLeaseUntilMs] = next;
      const rowId = openRows.appoint(id, owner, { dueAtMs, keepLeaseUntilMs });
      if (rowId !== undefined && attempt !== null) recordAttempt(rowId, attempt);
      return rowId !== undefined;
    }
    const [status, reason] = next;
    const rowId = openRows.endHeld(id, owner, { status, reason, nowMs });
    if (rowId === undefined) return false;
    if (attempt !== null) recordAttempt(rowId, attempt);
    noteSighting.ofRow(rowId, { status, nowMs });
    return true;
  }

  return {
    insert: prepareAccept({ db, sealer, journal }, openRows),
    settle,
    finish: openRows.finish,

    /** Looks again what the journal's table holds. */
    reload: (): void => journal.reload(isWritten),

    /**
     * Moves what the journal holds to the tables, where whoever asks what is open looks; also what an earlier
     * process left in it. Should that one still live, its next write finds the row there, is undone, and is tried
     * again in the tables.
     */
    spill(): void {
      for (const accepted of journal.takeAll()) openRows.insert(accepted);
      journal.reload(isWritten);
      for (const accepted of journal.takeAll()) openRows.insert(accepted);
    },

    /** The same of one delivery, if it is there. */
    spillOne(id: string): void {
      const held = journal.find(id);
      if (held === undefined) return;
      journal.take(id);
      openRows.insert(held.accepted);
    },
  };
}

function prepareAccept({ db, journal }: Parts, openRows: ReturnType<typeof prepareOpenRows>) {
  const findDevice = db.prepare<[Buffer]>('SELECT 1 FROM devices WHERE id = ?');
  const holdKey = db.prepare(
    `INSERT OR REPLACE INTO duplicate_keys (key_hash, delivery_id, expires_at_ms) VALUES (?, ?, ?)`,
  );

  return function insert(packed: PackedAcceptance): void {
    const accepted = unpackAcceptance(packed);
    const { delivery, duplicateKey } = accepted;
    if (duplicateKey !== undefined) {
      const { keyHash, expiresAtMs } = duplicateKey;
      holdKey.run(packFingerprint(keyHash), packUuid(delivery.id), wholeMs(expiresAtMs));
    }
    const { deviceId } = delivery;
    if (deviceId === undefined || findDevice.get(packUuid(deviceId)) !== undefined) {
      journal.add(packed, accepted);
      return;
    }
    // Deleted since the core looked it up: its token must not stay behind.
    const end = {
      status: 'rejected',
      reason: DEVICE_DELETED,
      nowMs: delivery.receivedAtMs,
    } as const;
    openRows.finish(openRows.insert(accepted), end);
  };
}

/** The end of a delivery that never was anywhere but in the journal. */
function prepareEnd(db: Database.Database, { recordAttempt, noteSighting }: Recording) {
  const insertSettled = prepareSettledRow(db);
  const releaseKey = prepareKeyRelease(db);

  return function end(
    { accepted, keys }: Pick<Held, 'accepted' | 'keys'>,
    attempt: PackedAttempt | null,
    as: End,
  ): void {
    const { delivery, duplicateKey } = accepted;
    const rowId = insertSettled(delivery, keys, as);
    if (attempt !== null) recordAttempt(rowId, attempt);
    noteSighting.ofToken(keys.tokenHash, as);
    if (duplicateKey !== undefined && as.status !== 'delivered') {
      releaseKey(packFingerprint(duplicateKey.keyHash), keys.id);
    }
  };
}

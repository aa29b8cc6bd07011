// Writes an event in the transaction of the fact that it reports. While no endpoint asks for a type, nothing is written
// and nothing is read. Events that are deleted are counted for the endpoints that did not get them.

import { randomUUID } from 'node:crypto';
import type Database from 'better-sqlite3';
import { type EventType, eventOfEnd, isWished } from '../../../core/events/catalogue.ts';
import { DROPPED_EVENTS, ENDED_DELIVERIES, WISHES } from '../../event-rows.ts';
import { lackingOf, type NewEvent, type StoredWish, toEndEvent, toWish } from '../../events.ts';
import type { RowOf } from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { maybeFingerprint, wholeMs } from '../../values.ts';
import type { End, OpenRow } from '../operations/finish.ts';
import { prepareDigestCounts } from './digest-counts.ts';

/** How many events are kept, and how many more may accumulate before the next check. */
const MAX_EVENTS = 100_000;
const LOOK_EVERY = 256;

export interface EventRecording {
  record(event: NewEvent): void;
  /** Whether any endpoint asked for it. */
  isWished(type: EventType): boolean;
  /** The end of an open delivery, before its content is erased. */
  recordEnd(row: OpenRow, end: End): void;
  /** Deletes up to `limit` older events. */
  prune(options: { readonly beforeMs: number; readonly limit: number }): number;
  /** Endpoints were changed, or a transaction was rolled back. */
  refresh(): void;
}

export function prepareEventRecording(db: Database.Database, sealer: Sealer): EventRecording {
  const listWishes = db.prepare<[], RowOf<typeof WISHES>>(WISHES.sql);
  const insert = db.prepare(
    `INSERT INTO events (id, at_ms, type, app, provider, delivery_id, device_id, notification_type,
       reason, token_hash, token_sha256, subject_sha256, endpoint_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const findEnded = db.prepare<[number], RowOf<typeof ENDED_DELIVERIES>>(
    `${ENDED_DELIVERIES.sql} WHERE row_id = ?`,
  );
  const drop = prepareDrop(db);
  const digest = prepareDigestCounts(db);
  let wishes: readonly StoredWish[] = [];

  const refresh = () => {
    wishes = listWishes.all().map(toWish);
  };
  refresh();

  function record(event: NewEvent): void {
    const wished = wishes.filter((wish) => isWished(wish, event));
    if (wished.length === 0) return;
    for (const { id, hasDigest } of wished) if (hasDigest) digest.count(id, event);
    const { lastInsertRowid } = insert.run(
      `evt_${randomUUID()}`,
      wholeMs(event.atMs),
      event.type,
      event.app ?? null,
      event.provider ?? null,
      event.deliveryId ?? null,
      event.deviceId ?? null,
      event.notificationType ?? null,
      event.reason ?? null,
      maybeFingerprint(event.tokenHash),
      event.tokenSha256 ?? null,
      event.subjectSha256 ?? null,
      event.endpointId ?? null,
    );
    const rowId = Number(lastInsertRowid);
    if (rowId % LOOK_EVERY === 0) {
      drop(wishes, { upToRowId: rowId - MAX_EVENTS, beforeMs: Number.MAX_SAFE_INTEGER });
    }
  }

  return {
    record,
    isWished: (type) => wishes.some(({ types }) => types.has(type)),
    refresh,
    recordEnd(row, { status, reason, wallMs }) {
      const type: EventType = eventOfEnd(status);
      if (!wishes.some(({ types }) => types.has(type))) return;
      const found = findEnded.get(row.row_id);
      if (found !== undefined) record(toEndEvent(found, { type, reason, wallMs }, sealer));
    },
    prune: ({ beforeMs, limit }) =>
      drop(wishes, { upToRowId: Number.MAX_SAFE_INTEGER, beforeMs, limit }),
  };
}

interface Dropping {
  readonly upToRowId: number;
  readonly beforeMs: number;
  readonly limit?: number;
}

/** Oldest first. Counts before it deletes, in the same transaction. */
function prepareDrop(db: Database.Database) {
  const oldest = db.prepare<[number], RowOf<typeof DROPPED_EVENTS>>(
    `${DROPPED_EVENTS.sql} WHERE row_id > 0 ORDER BY row_id LIMIT ?`,
  );
  const findCursor = db
    .prepare<[number], number>('SELECT cursor FROM endpoints WHERE row_id = ?')
    .pluck();
  const count = db.prepare(
    `UPDATE endpoints SET dropped = dropped + @count, dropped_to_ms = @toMs,
       dropped_from_ms = coalesce(dropped_from_ms, @fromMs)
     WHERE row_id = @rowId`,
  );
  const remove = db.prepare('DELETE FROM events WHERE row_id <= ?');

  return function drop(
    wishes: readonly StoredWish[],
    { upToRowId, beforeMs, limit = 2 * LOOK_EVERY }: Dropping,
  ): number {
    const rows = oldest.all(limit);
    const stays = rows.findIndex((row) => row.row_id > upToRowId || row.at_ms >= beforeMs);
    const gone = stays === -1 ? rows : rows.slice(0, stays);
    const last = gone.at(-1);
    if (last === undefined) return 0;
    for (const wish of wishes) {
      if (wish.hasDigest) continue;
      const cursor = findCursor.get(wish.rowId) ?? 0;
      const lacking = lackingOf(gone, { wish, cursor });
      if (lacking !== undefined) count.run({ rowId: wish.rowId, ...lacking });
    }
    remove.run(last.row_id);
    return gone.length;
  };
}

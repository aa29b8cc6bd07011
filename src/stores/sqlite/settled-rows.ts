// What stays of a delivery: one row for it and one for each attempt. A delivery that ends with its first try is
// written here once and is never changed.

import type Database from 'better-sqlite3';
import type { Delivery } from '../../core/delivery.ts';
import {
  codeOf,
  OUTCOMES,
  PLATFORMS,
  PROVIDERS,
  type RowKeys,
  STATUSES,
  wholeMs,
} from './codec.ts';
import { createMessageIds } from './message-ids.ts';
import type { End } from './open-rows.ts';
import type { PackedAttempt } from './packed.ts';

/** Returns the row. */
export function prepareSettledRow(db: Database.Database) {
  const insert = db.prepare(
    `INSERT INTO deliveries (id, app, platform, provider, type, status, reason, token_hash, subject_hash,
       received_at_ms, settled_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );

  return function insertSettled(delivery: Delivery, keys: RowKeys, end: End): number {
    const { target } = delivery;
    const { status, reason, nowMs } = end;
    const { lastInsertRowid } = insert.run(
      keys.id,
      target.app,
      codeOf(PLATFORMS, target.platform),
      codeOf(PROVIDERS, delivery.provider),
      delivery.notification.type,
      codeOf(STATUSES, status),
      reason,
      keys.tokenHash,
      keys.subjectHash,
      wholeMs(delivery.receivedAtMs),
      wholeMs(nowMs),
    );
    return Number(lastInsertRowid);
  };
}

/** A repeat of an attempt whose commit seemed to fail overwrites it. */
export function prepareAttempt(db: Database.Database) {
  const messageIds = createMessageIds(db);
  const insert = db.prepare(
    `INSERT OR REPLACE INTO attempts (row_id, number, started_at_ms, latency_ms, outcome, reason,
       prefix_id, message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return function recordAttempt(rowId: number, attempt: PackedAttempt): void {
    const [number, startedAtMs, latencyMs, outcome, reason, wholeMessageId] = attempt;
    const { prefixId, messageId } = messageIds.pack(wholeMessageId ?? undefined);
    insert.run(
      rowId,
      number,
      wholeMs(startedAtMs),
      wholeMs(latencyMs),
      codeOf(OUTCOMES, outcome),
      reason,
      prefixId,
      messageId,
    );
  };
}

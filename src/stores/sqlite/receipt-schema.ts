// The tables of receipts and of the wakes of phones, beside those of schema.ts, whose rules they follow. Every time is wall
// time.

import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { deliveries } from './schema.ts';

/** What is known about the wake that a push should cause, for apps with receipts. One row per delivery. */
export const wakes = sqliteTable('wakes', {
  rowId: integer('row_id')
    .primaryKey()
    .references(() => deliveries.rowId, { onDelete: 'cascade' }),
  /** 0 if the push carried no address for a receipt: it had no room, or left an hour after the call. */
  asked: integer('asked').notNull(),
  /** When the provider took the push, and which of its phone's pushes it was. */
  acceptedAtMs: integer('accepted_at_ms'),
  pushNumber: integer('push_number'),
  /** Of the phone's pushes before it, newest last: 1 if a receipt came, 0 if none. */
  recent: text('recent').notNull(),
  /** 1 if the phone had ever sent a receipt before. */
  sender: integer('sender').notNull(),
  knockedAtMs: integer('knocked_at_ms'),
  knockOutcome: text('knock_outcome'),
  knockResult: text('knock_result'),
});

/** What phones said about their wakes: at most 8 per delivery. */
export const receipts = sqliteTable(
  'receipts',
  {
    rowId: integer('row_id')
      .notNull()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    /** 1 for the first that arrived. */
    number: integer('number').notNull(),
    receivedAtMs: integer('received_at_ms').notNull(),
    stage: text('stage').notNull(),
    /** Which push it answers: 2 for a second knock. */
    n: integer('n').notNull(),
    /** By the phone's clock. */
    sinceArrivalMs: integer('since_arrival_ms'),
    why: text('why'),
    shown: integer('shown'),
    priority: text('priority'),
    originalPriority: text('original_priority'),
  },
  (table) => [primaryKey({ columns: [table.rowId, table.number] })],
);

/**
 * Pushes waiting for a receipt. If none comes, the vendor gets `delivery.no_wake`. A row is deleted by its receipt, by the
 * phone's reply, or by the sweep that records that event.
 */
export const awaitedReceipts = sqliteTable(
  'awaited_receipts',
  {
    rowId: integer('row_id')
      .primaryKey()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    acceptedAtMs: integer('accepted_at_ms').notNull(),
    /** The end of the push's lifetime. */
    untilMs: integer('until_ms').notNull(),
    /** As in `events`. */
    tokenSha256: text('token_sha256').notNull(),
    subjectSha256: text('subject_sha256'),
  },
  (table) => [index('awaited_receipts_by_end').on(table.untilMs)],
);

/** How each phone with receipts woke so far, by the fingerprint of its token. */
export const wakeHistories = sqliteTable(
  'wake_histories',
  {
    tokenHash: text('token_hash').primaryKey(),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    pushes: integer('pushes').notNull(),
    recent: text('recent').notNull(),
    /** The last 20 from the provider's acceptance to the receipt, in milliseconds, joined by commas. */
    wakesMs: text('wakes_ms').notNull(),
    /** 1 if it ever sent `started`. */
    hasStarted: integer('has_started').notNull(),
    unanswered: integer('unanswered').notNull(),
    unansweredSinceMs: integer('unanswered_since_ms'),
    lastPushAtMs: integer('last_push_at_ms'),
    lastWakeAtMs: integer('last_wake_at_ms'),
    silentSinceMs: integer('silent_since_ms'),
    demotedAtMs: integer('demoted_at_ms'),
    /** The last three second knocks, joined by commas. */
    knocksAtMs: text('knocks_at_ms').notNull(),
    uselessKnocks: integer('useless_knocks').notNull(),
    uselessAtMs: integer('useless_at_ms'),
    /** By which the vendor's events name the phone. */
    tokenSha256: text('token_sha256'),
  },
  (table) => [
    index('wake_histories_unanswered')
      .on(table.unansweredSinceMs)
      .where(sql`unanswered >= 5 AND silent_since_ms IS NULL`),
    index('wake_histories_by_push').on(table.lastPushAtMs),
  ],
);

// The tables of receipts and of the wakes of phones, beside those of schema.ts.

import { sql } from 'drizzle-orm';
import { bigint, boolean, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { key, time, whole } from '../columns.ts';
import { deliveries } from '../schema.ts';

/** What is known about the wake that a push should cause, for apps with receipts. One row per delivery. */
export const wakes = pgTable('wakes', {
  rowId: bigint('row_id', { mode: 'number' })
    .primaryKey()
    .references(() => deliveries.rowId, { onDelete: 'cascade' }),
  /** False if the push carried no address for a receipt: it had no room, or left an hour after the call. */
  asked: boolean('asked').notNull(),
  /** When the provider took the push, and which of its phone's pushes it was. */
  acceptedAt: time('accepted_at'),
  pushNumber: integer('push_number'),
  /** Of the phone's pushes before it, newest last: 1 if a receipt came, 0 if none. */
  recent: text('recent').notNull(),
  /** Whether the phone had ever sent a receipt before. */
  sender: boolean('sender').notNull(),
  knockedAt: time('knocked_at'),
  knockOutcome: text('knock_outcome'),
  knockResult: text('knock_result'),
});

/** What phones said about their wakes: at most 8 per delivery. */
export const receipts = pgTable(
  'receipts',
  {
    rowId: bigint('row_id', { mode: 'number' })
      .notNull()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    /** 1 for the first that arrived. */
    number: integer('number').notNull(),
    receivedAt: time('received_at').notNull(),
    stage: text('stage').notNull(),
    /** Which push it answers: 2 for a second knock. */
    n: integer('n').notNull(),
    /** By the phone's clock. */
    sinceArrivalMs: whole('since_arrival_ms'),
    why: text('why'),
    shown: boolean('shown'),
    priority: text('priority'),
    originalPriority: text('original_priority'),
  },
  (table) => [primaryKey({ columns: [table.rowId, table.number] })],
);

/**
 * Pushes waiting for a receipt. If none comes, the vendor gets `delivery.no_wake`. A row is deleted by its receipt, by the
 * phone's reply, or by the sweep that records that event.
 */
export const awaitedReceipts = pgTable(
  'awaited_receipts',
  {
    rowId: bigint('row_id', { mode: 'number' })
      .primaryKey()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    acceptedAt: time('accepted_at').notNull(),
    /** The end of the push's lifetime. */
    until: time('until').notNull(),
    /** As in `events`. */
    tokenSha256: key('token_sha256').notNull(),
    subjectSha256: key('subject_sha256'),
  },
  (table) => [index('awaited_receipts_by_end').on(table.until)],
);

/** How each phone with receipts woke so far, by the fingerprint of its token. */
export const wakeHistories = pgTable(
  'wake_histories',
  {
    tokenHash: key('token_hash').primaryKey(),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    pushes: integer('pushes').notNull(),
    recent: text('recent').notNull(),
    /** The last 20 from the provider's acceptance to the receipt, in milliseconds, joined by commas. */
    wakesMs: text('wakes_ms').notNull(),
    /** Whether it ever sent `started`. */
    hasStarted: boolean('has_started').notNull(),
    unanswered: integer('unanswered').notNull(),
    unansweredSince: time('unanswered_since'),
    lastPushAt: time('last_push_at'),
    lastWakeAt: time('last_wake_at'),
    silentSince: time('silent_since'),
    demotedAt: time('demoted_at'),
    /** The last three second knocks, in Unix milliseconds, joined by commas. */
    knocksAtMs: text('knocks_at_ms').notNull(),
    uselessKnocks: integer('useless_knocks').notNull(),
    uselessAt: time('useless_at'),
    /** By which the vendor's events name the phone. */
    tokenSha256: key('token_sha256'),
  },
  (table) => [
    index('wake_histories_unanswered')
      .on(table.unansweredSince)
      .where(sql`unanswered >= 5 AND silent_since IS NULL`),
    index('wake_histories_by_push').on(table.lastPushAt),
  ],
);

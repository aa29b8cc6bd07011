// The tables of the log. A settled delivery is one short row in `deliveries` and one per attempt; whatever
// only an open delivery needs lives in `queue` and `secrets` and is deleted with its end, so that rows
// never shrink in place and leave their pages half empty.
// drizzle-kit writes the migrations from this file; `STRICT`, `WITHOUT ROWID` and the view `delivery_log`
// are added to them by hand. The service itself runs prepared SQL: loading drizzle costs each thread a third
// of a second and well over 100 MB, and no statement here is hard to write.

import { sql } from 'drizzle-orm';
import {
  blob,
  check,
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** A UUID is kept as 16 bytes, everything else as text. */
const any = customType<{ data: Buffer | string }>({ dataType: () => 'any' });

/** 16 bytes. */
const uuid = (name: string) => blob(name, { mode: 'buffer' });
/** 16 bytes. */
const fingerprint = (name: string) => blob(name, { mode: 'buffer' });
/** A position in one of the lists in `codec.ts`. */
const code = (name: string) => integer(name);

export const deliveries = sqliteTable(
  'deliveries',
  {
    rowId: integer('row_id').primaryKey(),
    id: uuid('id').notNull(),
    app: text('app').notNull(),
    platform: code('platform').notNull(),
    provider: code('provider').notNull(),
    type: text('type').notNull(),
    status: code('status').notNull(),
    reason: text('reason'),
    tokenHash: fingerprint('token_hash').notNull(),
    subjectHash: fingerprint('subject_hash'),
    receivedAtMs: integer('received_at_ms').notNull(),
    // Erased when the other is set, so that a row keeps its length and its page never splits.
    expiresAtMs: integer('expires_at_ms'),
    settledAtMs: integer('settled_at_ms'),
    answeredAtMs: integer('answered_at_ms'),
  },
  (table) => [
    uniqueIndex('deliveries_by_id').on(table.id),
    index('deliveries_by_token').on(table.tokenHash),
    index('deliveries_by_subject').on(table.subjectHash).where(sql`subject_hash IS NOT NULL`),
    index('deliveries_by_receipt').on(table.receivedAtMs),
    index('deliveries_failed').on(table.status).where(sql`status > 1`),
    check('deliveries_status_known', sql`status BETWEEN 0 AND 5`),
    check('deliveries_settled_or_open', sql`(status = 0) = (settled_at_ms IS NULL)`),
  ],
);

export const attempts = sqliteTable(
  'attempts',
  {
    rowId: integer('row_id')
      .notNull()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    number: integer('number').notNull(),
    startedAtMs: integer('started_at_ms').notNull(),
    latencyMs: integer('latency_ms').notNull(),
    outcome: code('outcome').notNull(),
    reason: text('reason'),
    prefixId: integer('prefix_id').references(() => messagePrefixes.prefixId),
    messageId: any('message_id'),
  },
  (table) => [
    primaryKey({ columns: [table.rowId, table.number] }),
    check('attempts_outcome_known', sql`outcome BETWEEN 0 AND 4`),
  ],
);

/** What message ids of one project have in common (`projects/…/messages/`), kept once. */
export const messagePrefixes = sqliteTable('message_prefixes', {
  prefixId: integer('prefix_id').primaryKey(),
  prefix: text('prefix').notNull().unique(),
});

/** The open deliveries: when each is due and who is sending it. */
export const queue = sqliteTable(
  'queue',
  {
    rowId: integer('row_id')
      .primaryKey()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    app: text('app').notNull(),
    provider: code('provider').notNull(),
    dueAtMs: integer('due_at_ms').notNull(),
    leaseOwner: text('lease_owner'),
    leaseUntilMs: integer('lease_until_ms'),
    lifetimeMs: integer('lifetime_ms').notNull(),
    keyHash: fingerprint('key_hash'),
  },
  (table) => [
    index('queue_waiting')
      .on(table.app, table.provider, table.dueAtMs)
      .where(sql`lease_until_ms IS NULL`),
    index('queue_leased')
      .on(table.app, table.provider, table.leaseUntilMs)
      .where(sql`lease_until_ms IS NOT NULL`),
    check('queue_lease_whole', sql`(lease_owner IS NULL) = (lease_until_ms IS NULL)`),
  ],
);

/** Token, app_data, title and payload of an open delivery, encrypted. */
export const secrets = sqliteTable('secrets', {
  rowId: integer('row_id')
    .primaryKey()
    .references(() => deliveries.rowId, { onDelete: 'cascade' }),
  sealed: blob('sealed', { mode: 'buffer' }).notNull(),
});

/** No reference to `deliveries`: a key outlives the row of its delivery if its window does. */
export const duplicateKeys = sqliteTable(
  'duplicate_keys',
  {
    keyHash: fingerprint('key_hash').primaryKey(),
    deliveryId: uuid('delivery_id').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('duplicate_keys_by_end').on(table.expiresAtMs)],
);

export const quarantine = sqliteTable(
  'quarantine',
  {
    tokenHash: fingerprint('token_hash').primaryKey(),
    app: text('app').notNull(),
    provider: code('provider').notNull(),
    kind: code('kind').notNull(),
    reason: text('reason').notNull(),
    sinceMs: integer('since_ms').notNull(),
    untilMs: integer('until_ms').notNull(),
    providerSinceMs: integer('provider_since_ms'),
  },
  (table) => [
    index('quarantine_by_start').on(table.sinceMs),
    index('quarantine_by_end').on(table.untilMs),
  ],
);

/** One row: which encryption key this file was written with, and the lookup key sealed under it. */
export const vault = sqliteTable(
  'vault',
  {
    one: integer('one').primaryKey(),
    keyId: blob('key_id', { mode: 'buffer' }).notNull(),
    lookupKey: blob('lookup_key', { mode: 'buffer' }).notNull(),
  },
  () => [check('vault_single', sql`one = 1`)],
);

/** Where `probe` tries whether the disk takes a row; always empty. */
export const probes = sqliteTable('probes', {
  probeId: integer('probe_id').primaryKey(),
  filler: blob('filler', { mode: 'buffer' }).notNull(),
});

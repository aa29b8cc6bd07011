// The tables of the log and of the registered devices. A settled delivery is one short row in `deliveries` and one
// per attempt; whatever only an open delivery needs lives in `journal`, later in `queue` and `secrets`, and is
// deleted with its end, so that rows never shrink in place and leave their pages half empty.
// drizzle-kit writes the migrations from this file; `STRICT`, `WITHOUT ROWID`, the view `delivery_log` and
// the triggers of `device_count` are added to them by hand. The service itself runs prepared SQL: loading drizzle costs each thread a third
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
    // By id and not by row, and no reference: whoever deletes a device ends its deliveries first.
    deviceId: uuid('device_id'),
  },
  (table) => [
    index('queue_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
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

/** Deliveries that were accepted together and have not ended yet, encrypted as one value (`journal.ts`). */
export const journal = sqliteTable('journal', {
  entryId: integer('entry_id').primaryKey(),
  sealed: blob('sealed', { mode: 'buffer' }).notNull(),
});

/** Which deliveries have this token or subject (`lookups.ts`). No reference: an entry may outlive its row. */
export const lookups = sqliteTable(
  'lookups',
  {
    bucket: integer('bucket').notNull(),
    hash: fingerprint('hash').notNull(),
    rowId: integer('row_id').notNull(),
  },
  (table) => [primaryKey({ columns: [table.bucket, table.hash, table.rowId] })],
);

/** One row: the newest delivery that was entered into `lookups`. */
export const lookupProgress = sqliteTable(
  'lookup_progress',
  { one: integer('one').primaryKey(), enteredUntil: integer('entered_until').notNull() },
  () => [check('lookup_progress_single', sql`one = 1`)],
);

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

/** What a device is found, counted and pruned by; what it says of itself is in `device_secrets`. */
export const devices = sqliteTable(
  'devices',
  {
    rowId: integer('row_id').primaryKey(),
    id: uuid('id').notNull(),
    app: text('app').notNull(),
    platform: code('platform').notNull(),
    registrar: code('registrar').notNull(),
    tokenHash: fingerprint('token_hash').notNull(),
    userHash: fingerprint('user_hash'),
    identityHash: fingerprint('identity_hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    seenAtMs: integer('seen_at_ms').notNull(),
    deadSinceMs: integer('dead_since_ms'),
  },
  (table) => [
    uniqueIndex('devices_by_id').on(table.id),
    // The backend's devices only: whoever registers without its credential must not meet another's.
    uniqueIndex('devices_by_identity').on(table.identityHash).where(sql`registrar = 0`),
    index('devices_by_token').on(table.tokenHash),
    index('devices_by_user').on(table.userHash).where(sql`user_hash IS NOT NULL`),
    index('devices_by_death').on(table.deadSinceMs).where(sql`dead_since_ms IS NOT NULL`),
    index('devices_by_sight').on(table.seenAtMs),
    check('devices_registrar_known', sql`registrar BETWEEN 0 AND 2`),
  ],
);

/**
 * Token, app_data, user, locale, node ids, secrets and handles of a device, encrypted as one value. Apart, so
 * that what every settlement looks at is small.
 */
export const deviceSecrets = sqliteTable('device_secrets', {
  rowId: integer('row_id')
    .primaryKey()
    .references(() => devices.rowId, { onDelete: 'cascade' }),
  sealed: blob('sealed', { mode: 'buffer' }).notNull(),
});

/** One row, kept right by triggers, since counting a million devices at each registration takes too long. */
export const deviceCount = sqliteTable(
  'device_count',
  { one: integer('one').primaryKey(), total: integer('total').notNull() },
  () => [check('device_count_single', sql`one = 1`)],
);

export const handles = sqliteTable(
  'handles',
  {
    handleHash: fingerprint('handle_hash').primaryKey(),
    deviceRowId: integer('device_row_id')
      .notNull()
      .references(() => devices.rowId, { onDelete: 'cascade' }),
    door: text('door').notNull(),
  },
  (table) => [index('handles_by_device').on(table.deviceRowId)],
);

/** Signatures that were used once, until they are too old to be used at all. */
export const usedSignatures = sqliteTable(
  'used_signatures',
  {
    keyHash: fingerprint('key_hash').primaryKey(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('used_signatures_by_end').on(table.expiresAtMs)],
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

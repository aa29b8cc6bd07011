// The tables of the log, written to be read with the `sqlite3` shell: names and ids as text, fingerprints as 32
// lower-case hex digits, one row per delivery from its acceptance on. Those of the devices are in device-schema.ts.
// drizzle-kit writes the migration from this file; STRICT and WITHOUT ROWID are added to it by hand. The service runs
// prepared SQL: loading drizzle costs every thread a third of a second and over 100 MB.
//
// Two clocks (core/ports/clock.ts). Service time (the wall clock at the start of the process, then monotonic): every
// time in `queue`, and every `expires_at_ms`. Wall time: all others. All are Unix milliseconds.

import { sql } from 'drizzle-orm';
import {
  blob,
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** One row per delivery, `queued` from its acceptance until it ends. Holds no token and no payload. */
export const deliveries = sqliteTable(
  'deliveries',
  {
    rowId: integer('row_id').primaryKey(),
    id: text('id').notNull(),
    receivedAtMs: integer('received_at_ms').notNull(),
    status: text('status').notNull(),
    reason: text('reason'),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    provider: text('provider').notNull(),
    type: text('type').notNull(),
    // Without a reference: the log keeps a delivery when its device is deleted.
    deviceId: text('device_id'),
    tokenHash: text('token_hash').notNull(),
    subjectHash: text('subject_hash'),
    lifetimeMs: integer('lifetime_ms').notNull(),
    /** How many attempts ended. */
    attempts: integer('attempts').notNull(),
    settledAtMs: integer('settled_at_ms'),
    /** When the device replied (`invoice_request`). */
    answeredAtMs: integer('answered_at_ms'),
    /** The pattern of the route that took the call: `/n/:handle`. */
    door: text('door'),
    /** The source that read it: `notify`, `lsps5`, `standard`. */
    source: text('source'),
    /** The caller has it as the header `Request-Id`. Absent where it is the same as `id`. */
    requestId: text('request_id'),
    /** What the first caller was answered: `delivered`, `queued`, `replied` or the code of a problem. */
    told: text('told'),
    toldStatus: integer('told_status'),
    toldAtMs: integer('told_at_ms'),
    /** Calls that were answered `duplicate`, and when the last of them was. */
    repeats: integer('repeats').notNull(),
    repeatedAtMs: integer('repeated_at_ms'),
    /** When the last repeat came that gave the open delivery a new lifetime. */
    renewedAtMs: integer('renewed_at_ms'),
  },
  (table) => [
    uniqueIndex('deliveries_by_id').on(table.id),
    index('deliveries_by_token').on(table.tokenHash),
    index('deliveries_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    index('deliveries_by_request').on(table.requestId).where(sql`request_id IS NOT NULL`),
    index('deliveries_by_subject').on(table.subjectHash).where(sql`subject_hash IS NOT NULL`),
    // Nearly all others are delivered, and `queue` has the queued ones.
    index('deliveries_failed').on(table.status).where(sql`status NOT IN ('queued', 'delivered')`),
    check(
      'deliveries_status_known',
      sql`status IN ('queued', 'delivered', 'unregistered', 'rejected', 'misconfigured', 'expired')`,
    ),
    check('deliveries_settled_or_open', sql`(status = 'queued') = (settled_at_ms IS NULL)`),
  ],
);

/** Every attempt at a provider that ended. */
export const attempts = sqliteTable(
  'attempts',
  {
    rowId: integer('row_id')
      .notNull()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    /** 1 for the first. */
    number: integer('number').notNull(),
    startedAtMs: integer('started_at_ms').notNull(),
    latencyMs: integer('latency_ms').notNull(),
    outcome: text('outcome').notNull(),
    reason: text('reason'),
    messageId: text('message_id'),
  },
  (table) => [primaryKey({ columns: [table.rowId, table.number] })],
);

/** What an open delivery needs beside its row: its content and its plan. Deleted when the delivery ends. */
export const queue = sqliteTable(
  'queue',
  {
    rowId: integer('row_id')
      .primaryKey()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    // Without a reference: deleting a device ends its deliveries first.
    deviceId: text('device_id'),
    /** Token, app_data, title and payload, encrypted. */
    sealed: blob('sealed', { mode: 'buffer' }).notNull(),
    /** When the next attempt is planned. */
    dueAtMs: integer('due_at_ms').notNull(),
    /** No attempt may start before this. */
    notBeforeMs: integer('not_before_ms'),
    /** When the last attempt ended or, of a probe, was claimed. */
    triedAtMs: integer('tried_at_ms'),
    /** No attempt starts after this. */
    usefulUntilMs: integer('useful_until_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
    /** 1 if somebody waits for it (core/notification.ts, `isRace`), 0 if it is news. */
    race: integer('race').notNull(),
    /** Attempts that the provider left unanswered: the phone may have got each of these. */
    unanswered: integer('unanswered').notNull(),
    /** 1 if a process ended during its first attempt, which was perhaps sent. */
    interrupted: integer('interrupted').notNull(),
    /** Who is sending it, and until when no other process may. */
    leaseOwner: text('lease_owner'),
    leaseUntilMs: integer('lease_until_ms'),
    /** The duplicate key that it holds. */
    keyHash: text('key_hash'),
    /** When it can be claimed as due: planned, not held and not leased. */
    readyAtMs: integer('ready_at_ms')
      .notNull()
      .generatedAlwaysAs(
        sql`max(due_at_ms, coalesce(not_before_ms, 0), coalesce(lease_until_ms, 0))`,
        { mode: 'virtual' },
      ),
  },
  (table) => [
    index('queue_by_readiness').on(table.app, table.provider, table.readyAtMs),
    // Without rows that are being sent, because most deliveries are being sent during their whole time here.
    index('queue_by_useful_life')
      .on(table.app, table.provider, table.usefulUntilMs)
      .where(sql`lease_owner IS NULL`),
    index('queue_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    check('queue_lease_whole', sql`(lease_owner IS NULL) = (lease_until_ms IS NULL)`),
  ],
);

/** What makes a second call the same notification. A key may outlive the row of its delivery. */
export const duplicateKeys = sqliteTable(
  'duplicate_keys',
  {
    keyHash: text('key_hash').primaryKey(),
    deliveryId: text('delivery_id').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('duplicate_keys_by_end').on(table.expiresAtMs)],
);

/** Tokens that are not sent to for a while. */
export const quarantine = sqliteTable(
  'quarantine',
  {
    tokenHash: text('token_hash').primaryKey(),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    kind: text('kind').notNull(),
    reason: text('reason').notNull(),
    sinceMs: integer('since_ms').notNull(),
    untilMs: integer('until_ms').notNull(),
    /** Since when the token is dead, as the provider says. */
    providerSinceMs: integer('provider_since_ms'),
  },
  (table) => [
    index('quarantine_by_start').on(table.sinceMs),
    index('quarantine_by_end').on(table.untilMs),
  ],
);

/**
 * Calls that were refused, and those that repeated an earlier one (code `duplicate`): one row for each kind and
 * minute. What the call names is kept only as a fingerprint.
 */
export const refusals = sqliteTable(
  'refusals',
  {
    rowId: integer('row_id').primaryKey(),
    /** When the first and the last of them were refused. */
    atMs: integer('at_ms').notNull(),
    lastAtMs: integer('last_at_ms').notNull(),
    count: integer('count').notNull(),
    /** Of the first. */
    requestId: text('request_id'),
    /** The pattern of the route; `*` for a path that is not served. */
    door: text('door').notNull(),
    source: text('source'),
    /** NULL for an app that is not configured. */
    app: text('app'),
    code: text('code').notNull(),
    status: integer('status').notNull(),
    /** Which limit was reached: `token_rate`, `address_rate`. */
    limitName: text('limit_name'),
    tokenHash: text('token_hash'),
    /** Of a handle that no device has. */
    handleHash: text('handle_hash'),
    subjectHash: text('subject_hash'),
    deviceId: text('device_id'),
    /** Names of the fields at fault, joined by commas. */
    fields: text('fields'),
    /** The Lightning node that signed, whether it may or not. */
    nodeId: text('node_id'),
    addressHash: text('address_hash'),
    /** The delivery that was repeated. */
    deliveryId: text('delivery_id'),
    /** 0 if it names no known device, handle, domain or proven token: these rows have a bound of their own. */
    known: integer('known').notNull(),
  },
  (table) => [
    index('refusals_by_token').on(table.tokenHash).where(sql`token_hash IS NOT NULL`),
    index('refusals_by_handle').on(table.handleHash).where(sql`handle_hash IS NOT NULL`),
    index('refusals_by_subject').on(table.subjectHash).where(sql`subject_hash IS NOT NULL`),
    index('refusals_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    index('refusals_by_request').on(table.requestId).where(sql`request_id IS NOT NULL`),
    index('refusals_by_delivery').on(table.deliveryId).where(sql`delivery_id IS NOT NULL`),
    index('refusals_by_kind').on(table.door, table.code, table.atMs),
    index('refusals_of_strangers').on(table.atMs).where(sql`known = 0`),
  ],
);

/** When an app could not push by a provider: its breaker was open, or its configuration was refused. */
export const outages = sqliteTable(
  'outages',
  {
    rowId: integer('row_id').primaryKey(),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    reason: text('reason').notNull(),
    beganAtMs: integer('began_at_ms').notNull(),
    /** NULL while it lasts. */
    endedAtMs: integer('ended_at_ms'),
  },
  (table) => [index('outages_by_start').on(table.beganAtMs)],
);

/**
 * When the log is not complete: `stopped`, the process did not run; `store`, the database could not be written. The
 * first one began at 0 and ended when the log was made: nothing is known of the time before.
 */
export const gaps = sqliteTable(
  'gaps',
  {
    rowId: integer('row_id').primaryKey(),
    kind: text('kind').notNull(),
    beganAtMs: integer('began_at_ms').notNull(),
    /** NULL since the process was stopped. */
    endedAtMs: integer('ended_at_ms'),
    /** Deliveries that left no row. */
    unlogged: integer('unlogged').notNull(),
  },
  (table) => [
    index('gaps_by_start').on(table.beganAtMs),
    check('gaps_kind_known', sql`kind IN ('stopped', 'store')`),
  ],
);

/**
 * Values of the file itself: `encryption_key_id` names the key that everything is sealed under, `lookup_key` is the
 * key of all fingerprints, sealed. `probe` is there only inside a transaction that tries whether a row fits.
 */
export const meta = sqliteTable('meta', {
  name: text('name').primaryKey(),
  value: blob('value', { mode: 'buffer' }).notNull(),
});

/** One row, or none: releases that know fewer migrations than `min_reader` must not run on this file. */
export const schema = sqliteTable('schema', {
  minReader: integer('min_reader').primaryKey(),
});

// The tables of the log in PostgreSQL: the same names as in SQLite (../sqlite/schema.ts says what each column is for), with
// times as `timestamptz`: SQLite's `due_at_ms` is `due_at` here. Other tables are in the folders of what they are for.
// drizzle-kit writes the migrations from these files; the service runs plain SQL.
//
// Two clocks, as in SQLite. Times that decide something (in `queue` and `quarantine`, `expires_at`) are by this
// database's clock: a machine adds the difference of its own clock (times.ts). Wall time is what the machine's clock
// said.

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { bytea, key, time, whole } from './columns.ts';

export const deliveries = pgTable(
  'deliveries',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    id: key('id').notNull(),
    receivedAt: time('received_at').notNull(),
    status: text('status').notNull(),
    reason: text('reason'),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    provider: text('provider').notNull(),
    type: text('type').notNull(),
    deviceId: key('device_id'),
    tokenHash: key('token_hash').notNull(),
    subjectHash: key('subject_hash'),
    lifetimeMs: whole('lifetime_ms').notNull(),
    attempts: integer('attempts').notNull(),
    settledAt: time('settled_at'),
    answeredAt: time('answered_at'),
    door: text('door'),
    source: text('source'),
    requestId: key('request_id'),
    told: text('told'),
    toldStatus: integer('told_status'),
    toldAt: time('told_at'),
    repeats: integer('repeats').notNull(),
    repeatedAt: time('repeated_at'),
    renewedAt: time('renewed_at'),
  },
  (table) => [
    uniqueIndex('deliveries_by_id').on(table.id),
    index('deliveries_by_token').on(table.tokenHash),
    index('deliveries_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    index('deliveries_by_request').on(table.requestId).where(sql`request_id IS NOT NULL`),
    index('deliveries_by_subject').on(table.subjectHash).where(sql`subject_hash IS NOT NULL`),
    index('deliveries_failed').on(table.status).where(sql`status NOT IN ('queued', 'delivered')`),
    check(
      'deliveries_status_known',
      sql`status IN ('queued', 'delivered', 'unregistered', 'rejected', 'misconfigured', 'expired')`,
    ),
    check('deliveries_settled_or_open', sql`(status = 'queued') = (settled_at IS NULL)`),
  ],
);

export const attempts = pgTable(
  'attempts',
  {
    rowId: bigint('row_id', { mode: 'number' })
      .notNull()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    number: integer('number').notNull(),
    startedAt: time('started_at').notNull(),
    latencyMs: whole('latency_ms').notNull(),
    outcome: text('outcome').notNull(),
    reason: text('reason'),
    messageId: text('message_id'),
  },
  (table) => [primaryKey({ columns: [table.rowId, table.number] })],
);

export const queue = pgTable(
  'queue',
  {
    rowId: bigint('row_id', { mode: 'number' })
      .primaryKey()
      .references(() => deliveries.rowId, { onDelete: 'cascade' }),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    deviceId: key('device_id'),
    sealed: bytea('sealed').notNull(),
    dueAt: time('due_at').notNull(),
    notBefore: time('not_before'),
    triedAt: time('tried_at'),
    usefulUntil: time('useful_until').notNull(),
    expiresAt: time('expires_at').notNull(),
    race: boolean('race').notNull(),
    unanswered: integer('unanswered').notNull(),
    interrupted: boolean('interrupted').notNull(),
    /** The machine that is sending it: `nodes.id`. */
    leaseOwner: text('lease_owner'),
    leaseUntil: time('lease_until'),
    keyHash: key('key_hash'),
    readyAt: time('ready_at')
      .notNull()
      // `greatest` ignores NULL.
      .generatedAlwaysAs(sql`greatest(due_at, not_before, lease_until)`),
  },
  (table) => [
    index('queue_by_readiness').on(table.app, table.provider, table.readyAt),
    index('queue_by_useful_life')
      .on(table.app, table.provider, table.usefulUntil)
      .where(sql`lease_owner IS NULL`),
    index('queue_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    index('queue_by_owner').on(table.leaseOwner).where(sql`lease_owner IS NOT NULL`),
    check('queue_lease_whole', sql`(lease_owner IS NULL) = (lease_until IS NULL)`),
  ],
);

export const duplicateKeys = pgTable(
  'duplicate_keys',
  {
    keyHash: key('key_hash').primaryKey(),
    deliveryId: key('delivery_id').notNull(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('duplicate_keys_by_end').on(table.expiresAt)],
);

export const quarantine = pgTable(
  'quarantine',
  {
    tokenHash: key('token_hash').primaryKey(),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    kind: text('kind').notNull(),
    reason: text('reason').notNull(),
    since: time('since').notNull(),
    until: time('until').notNull(),
    providerSince: time('provider_since'),
  },
  (table) => [
    index('quarantine_by_start').on(table.since),
    index('quarantine_by_end').on(table.until),
  ],
);

/** Values of the database itself, as in SQLite. */
export const meta = pgTable('meta', {
  name: text('name').primaryKey(),
  value: bytea('value').notNull(),
});

/** The machines that run now, and those that died and whose deliveries are not all taken over yet. */
export const nodes = pgTable('nodes', {
  id: key('id').primaryKey(),
  /** Its private listener, where the others reach it. NULL if it has none. */
  url: text('url'),
  /** Counts up every second that it lives. */
  beat: bigint('beat', { mode: 'number' }).notNull(),
  /** Counts up when others declare it dead, and its writes under the earlier number are refused. */
  epoch: bigint('epoch', { mode: 'number' }).notNull(),
  startedAt: time('started_at').notNull(),
  /** When it last beat, for the gaps of the log: only the counter decides who is dead. */
  beatenAt: time('beaten_at').notNull(),
});

/** One row: releases that know fewer migrations than `min_reader` must not run on this database. */
export const schema = pgTable('schema', {
  minReader: integer('min_reader').primaryKey(),
});

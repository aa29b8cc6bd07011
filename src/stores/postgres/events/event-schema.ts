// The tables of the events for the vendor: events, the endpoints that they are sent to, the counts of their digests, and
// the last attempts at each endpoint.
//
// Many transactions write events at once, and may commit in another order than that of their `row_id`s. An endpoint
// that follows `row_id` would skip events that commit later. Events therefore get their `place` in the order only after
// they are committed, from the machine that reads them (events/places.ts).

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  pgTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { bytea, key, time } from '../columns.ts';

/** Facts that an endpoint asked for: written with the fact itself, kept for a day and for 100,000 of them. */
export const events = pgTable(
  'events',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** The order in which endpoints get events; NULL until the event is first read. Never used twice. */
    place: bigint('place', { mode: 'number' }),
    /** The `webhook-id`. */
    id: key('id').notNull(),
    at: time('at').notNull(),
    type: text('type').notNull(),
    /** NULL if it concerns no app. */
    app: text('app'),
    provider: text('provider'),
    deliveryId: key('delivery_id'),
    deviceId: key('device_id'),
    notificationType: text('notification_type'),
    reason: text('reason'),
    /** The log's own fingerprint, by which a token is forgotten. */
    tokenHash: key('token_hash'),
    /** SHA-256 of the token and of the payment hash or swap id: what the vendor finds its user by. */
    tokenSha256: key('token_sha256'),
    subjectSha256: key('subject_sha256'),
    /** The endpoint that was disabled. */
    endpointId: key('endpoint_id'),
  },
  (table) => [
    uniqueIndex('events_by_place').on(table.place).where(sql`place IS NOT NULL`),
    index('events_without_place').on(table.rowId).where(sql`place IS NULL`),
    uniqueIndex('events_by_id').on(table.id),
    index('events_by_token').on(table.tokenHash).where(sql`token_hash IS NOT NULL`),
    index('events_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    // Events that are mailed to an operator at once: few among many.
    index('events_to_alert')
      .on(table.place)
      .where(sql`type IN ('provider.down', 'provider.misconfigured', 'endpoint.disabled')`),
  ],
);

/** Where the vendor wants events to be sent. */
export const endpoints = pgTable(
  'endpoints',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    id: key('id').notNull(),
    /** NULL for all apps. */
    app: text('app'),
    /** Types by name or by group, joined by commas: `delivery.*,provider.down`. */
    enabledEvents: text('enabled_events').notNull(),
    description: text('description'),
    status: text('status').notNull(),
    disabledReason: text('disabled_reason'),
    /** Whether it comes from NDS_ENDPOINTS. */
    configured: boolean('configured').notNull(),
    createdAt: time('created_at').notNull(),
    /** The last event that it has or that was skipped: `events.place`. */
    cursor: bigint('cursor', { mode: 'number' }).notNull(),
    /** The machine that sends to it: `nodes.id`. Another machine takes over when that one is gone. */
    sender: key('sender'),
    /** When it first failed after its last success. */
    failingSince: time('failing_since'),
    /** How often it refused the next event. */
    refused: integer('refused').notNull(),
    /** Events that were deleted before it had them, and when the first and the last of them were recorded. */
    dropped: integer('dropped').notNull(),
    droppedFrom: time('dropped_from'),
    droppedTo: time('dropped_to'),
    /** Address and secrets, encrypted. */
    sealed: bytea('sealed').notNull(),
    /** `hourly` or `daily` if the address is an e-mail address, else NULL. */
    digest: text('digest'),
  },
  (table) => [
    uniqueIndex('endpoints_by_id').on(table.id),
    check('endpoints_status_known', sql`status IN ('enabled', 'disabled')`),
    check('endpoints_dropped_whole', sql`(dropped = 0) = (dropped_from IS NULL)`),
  ],
);

/** How many events of each kind were not mailed to an e-mail endpoint yet: written with the events themselves. */
export const digestCounts = pgTable(
  'digest_counts',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    endpointId: key('endpoint_id').notNull(),
    type: text('type').notNull(),
    /** Empty if there is none. */
    app: text('app').notNull(),
    reason: text('reason').notNull(),
    count: integer('count').notNull(),
    /** Of the first and the last of them. */
    from: time('from').notNull(),
    to: time('to').notNull(),
  },
  (table) => [
    uniqueIndex('digest_counts_by_kind').on(table.endpointId, table.type, table.app, table.reason),
  ],
);

/** The last hundred attempts at each endpoint. */
export const endpointAttempts = pgTable(
  'endpoint_attempts',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    endpointId: key('endpoint_id').notNull(),
    eventId: key('event_id').notNull(),
    type: text('type').notNull(),
    at: time('at').notNull(),
    latencyMs: integer('latency_ms').notNull(),
    /** `delivered`, `failed`, or `skipped` after the last refusal. */
    outcome: text('outcome').notNull(),
    /** Of HTTP or of SMTP; NULL if there was no answer. */
    status: integer('status'),
    reason: text('reason'),
  },
  (table) => [index('endpoint_attempts_by_endpoint').on(table.endpointId, table.rowId)],
);

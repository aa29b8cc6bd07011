// The tables of the events for the vendor: events in the order in which they were recorded, the endpoints that they are
// sent to, the counts of their digests, and the last attempts at each endpoint. All times are wall time.

import { sql } from 'drizzle-orm';
import {
  blob,
  check,
  index,
  integer,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

/** Facts that an endpoint asked for: written with the fact itself, kept for a day and for 100,000 of them. */
export const events = sqliteTable(
  'events',
  {
    // Never used twice: an endpoint remembers the last one that it got.
    rowId: integer('row_id').primaryKey({ autoIncrement: true }),
    /** The `webhook-id`. */
    id: text('id').notNull(),
    atMs: integer('at_ms').notNull(),
    type: text('type').notNull(),
    /** NULL if it concerns no app. */
    app: text('app'),
    provider: text('provider'),
    deliveryId: text('delivery_id'),
    deviceId: text('device_id'),
    notificationType: text('notification_type'),
    reason: text('reason'),
    /** The log's own fingerprint, by which a token is forgotten. */
    tokenHash: text('token_hash'),
    /** SHA-256 of the token and of the payment hash or swap id: what the vendor finds its user by. */
    tokenSha256: text('token_sha256'),
    subjectSha256: text('subject_sha256'),
    /** The endpoint that was disabled. */
    endpointId: text('endpoint_id'),
  },
  (table) => [
    uniqueIndex('events_by_id').on(table.id),
    index('events_by_token').on(table.tokenHash).where(sql`token_hash IS NOT NULL`),
    index('events_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    // Events that are mailed to an operator at once: few among many.
    index('events_to_alert')
      .on(table.rowId)
      .where(sql`type IN ('provider.down', 'provider.misconfigured', 'endpoint.disabled')`),
  ],
);

/** Where the vendor wants events to be sent. */
export const endpoints = sqliteTable(
  'endpoints',
  {
    rowId: integer('row_id').primaryKey(),
    id: text('id').notNull(),
    /** NULL for all apps. */
    app: text('app'),
    /** Types by name or by group, joined by commas: `delivery.*,provider.down`. */
    enabledEvents: text('enabled_events').notNull(),
    description: text('description'),
    status: text('status').notNull(),
    disabledReason: text('disabled_reason'),
    /** 1 if it comes from NDS_ENDPOINTS. */
    configured: integer('configured').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    /** The last event that it has or that was skipped: `events.row_id`. */
    cursor: integer('cursor').notNull(),
    /** When it first failed after its last success. */
    failingSinceMs: integer('failing_since_ms'),
    /** How often it refused the next event. */
    refused: integer('refused').notNull(),
    /** Events that were deleted before it had them, and when the first and the last of them were recorded. */
    dropped: integer('dropped').notNull(),
    droppedFromMs: integer('dropped_from_ms'),
    droppedToMs: integer('dropped_to_ms'),
    /** Address and secrets, encrypted. */
    sealed: blob('sealed', { mode: 'buffer' }).notNull(),
    /** `hourly` or `daily` if the address is an e-mail address, else NULL. */
    digest: text('digest'),
  },
  (table) => [
    uniqueIndex('endpoints_by_id').on(table.id),
    check('endpoints_status_known', sql`status IN ('enabled', 'disabled')`),
    check('endpoints_dropped_whole', sql`(dropped = 0) = (dropped_from_ms IS NULL)`),
  ],
);

/** How many events of each kind were not mailed to an e-mail endpoint yet: written with the events themselves. */
export const digestCounts = sqliteTable(
  'digest_counts',
  {
    rowId: integer('row_id').primaryKey(),
    endpointId: text('endpoint_id').notNull(),
    type: text('type').notNull(),
    /** Empty if there is none. */
    app: text('app').notNull(),
    reason: text('reason').notNull(),
    count: integer('count').notNull(),
    /** Of the first and the last of them. */
    fromMs: integer('from_ms').notNull(),
    toMs: integer('to_ms').notNull(),
  },
  (table) => [
    uniqueIndex('digest_counts_by_kind').on(table.endpointId, table.type, table.app, table.reason),
  ],
);

/** The last hundred attempts at each endpoint. */
export const endpointAttempts = sqliteTable(
  'endpoint_attempts',
  {
    rowId: integer('row_id').primaryKey({ autoIncrement: true }),
    endpointId: text('endpoint_id').notNull(),
    eventId: text('event_id').notNull(),
    type: text('type').notNull(),
    atMs: integer('at_ms').notNull(),
    latencyMs: integer('latency_ms').notNull(),
    /** `delivered`, `failed`, or `skipped` after the last refusal. */
    outcome: text('outcome').notNull(),
    /** Of HTTP or of SMTP; NULL if there was no answer. */
    status: integer('status'),
    reason: text('reason'),
  },
  (table) => [index('endpoint_attempts_by_endpoint').on(table.endpointId, table.rowId)],
);

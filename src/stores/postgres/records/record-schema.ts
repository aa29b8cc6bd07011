// The tables of what the log keeps beside deliveries: refused calls, outages of the providers, and its own gaps.

import { sql } from 'drizzle-orm';
import { bigint, boolean, check, index, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { key, time } from '../columns.ts';

/**
 * Calls that were refused, and those that repeated an earlier one (code `duplicate`): one row for each kind, minute and
 * machine. What the call names is kept only as a fingerprint.
 */
export const refusals = pgTable(
  'refusals',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    /** When the first and the last of them were refused. */
    at: time('at').notNull(),
    lastAt: time('last_at').notNull(),
    count: integer('count').notNull(),
    /** Of the first. */
    requestId: key('request_id'),
    /** The pattern of the route; `*` for a path that is not served. */
    door: text('door').notNull(),
    source: text('source'),
    /** NULL for an app that is not configured. */
    app: text('app'),
    code: text('code').notNull(),
    status: integer('status').notNull(),
    /** Which limit was reached: `token_rate`, `address_rate`. */
    limitName: text('limit_name'),
    tokenHash: key('token_hash'),
    /** Of a handle that no device has. */
    handleHash: key('handle_hash'),
    subjectHash: key('subject_hash'),
    deviceId: key('device_id'),
    /** Names of the fields at fault, joined by commas. */
    fields: text('fields'),
    /** The Lightning node that signed, whether it may or not. */
    nodeId: text('node_id'),
    addressHash: key('address_hash'),
    /** The delivery that was repeated. */
    deliveryId: key('delivery_id'),
    /** False if it names no known device, handle, domain or proven token: these rows have a bound of their own. */
    known: boolean('known').notNull(),
  },
  (table) => [
    index('refusals_by_token').on(table.tokenHash).where(sql`token_hash IS NOT NULL`),
    index('refusals_by_handle').on(table.handleHash).where(sql`handle_hash IS NOT NULL`),
    index('refusals_by_subject').on(table.subjectHash).where(sql`subject_hash IS NOT NULL`),
    index('refusals_by_device').on(table.deviceId).where(sql`device_id IS NOT NULL`),
    index('refusals_by_request').on(table.requestId).where(sql`request_id IS NOT NULL`),
    index('refusals_by_delivery').on(table.deliveryId).where(sql`delivery_id IS NOT NULL`),
    index('refusals_by_kind').on(table.door, table.code, table.at),
    index('refusals_of_strangers').on(table.at).where(sql`NOT known`),
  ],
);

/** When an app could not push by a provider: its breaker was open, or its configuration was refused. */
export const outages = pgTable(
  'outages',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    app: text('app').notNull(),
    provider: text('provider').notNull(),
    reason: text('reason').notNull(),
    beganAt: time('began_at').notNull(),
    /** NULL while it lasts. */
    endedAt: time('ended_at'),
    /** The machine that saw it: `nodes.id`. */
    node: key('node').notNull(),
  },
  (table) => [index('outages_by_start').on(table.beganAt)],
);

/**
 * When the log is not complete: `stopped`, the process did not run; `store`, the database could not be written. The
 * first one began at 0 and ended when the log was made: nothing is known of the time before.
 */
export const gaps = pgTable(
  'gaps',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    kind: text('kind').notNull(),
    beganAt: time('began_at').notNull(),
    /** NULL since the process was stopped. */
    endedAt: time('ended_at'),
    /** Deliveries that left no row. */
    unlogged: integer('unlogged').notNull(),
  },
  (table) => [
    index('gaps_by_start').on(table.beganAt),
    check('gaps_kind_known', sql`kind IN ('stopped', 'store')`),
  ],
);

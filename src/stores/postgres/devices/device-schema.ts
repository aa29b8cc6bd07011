// The tables of the registered devices, beside those of the log (schema.ts). `counts` has the number of devices, which
// is limited.

import { sql } from 'drizzle-orm';
import { bigint, check, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { bytea, key, time } from '../columns.ts';

/** Registered devices: the columns for finding and pruning them; everything else is encrypted. */
export const devices = pgTable(
  'devices',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    id: key('id').notNull(),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    registrar: text('registrar').notNull(),
    tokenHash: key('token_hash').notNull(),
    userHash: key('user_hash'),
    /** Of app, token, user and app_data: what makes two registrations the same device. */
    identityHash: key('identity_hash').notNull(),
    createdAt: time('created_at').notNull(),
    /** When it registered or took a push last, to the day. */
    seenAt: time('seen_at').notNull(),
    deadSince: time('dead_since'),
    /** Token, app_data, user, locale, node ids, secrets and handles, encrypted. */
    sealed: bytea('sealed').notNull(),
  },
  (table) => [
    uniqueIndex('devices_by_id').on(table.id),
    // The backend's devices only: a registration without its key must not find an existing device.
    uniqueIndex('devices_by_identity').on(table.identityHash).where(sql`registrar = 'backend'`),
    index('devices_by_token').on(table.tokenHash),
    index('devices_by_user').on(table.userHash).where(sql`user_hash IS NOT NULL`),
    index('devices_by_death').on(table.deadSince).where(sql`dead_since IS NOT NULL`),
    index('devices_by_sight').on(table.seenAt),
    check('devices_registrar_known', sql`registrar IN ('backend', 'app', 'self')`),
  ],
);

/** The fingerprints of a device's handles. */
export const handles = pgTable(
  'handles',
  {
    handleHash: key('handle_hash').primaryKey(),
    deviceRowId: bigint('device_row_id', { mode: 'number' })
      .notNull()
      .references(() => devices.rowId, { onDelete: 'cascade' }),
    door: text('door').notNull(),
  },
  (table) => [index('handles_by_device').on(table.deviceRowId)],
);

/** Signatures that were used once, until they are too old to be used at all. */
export const usedSignatures = pgTable(
  'used_signatures',
  {
    keyHash: key('key_hash').primaryKey(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('used_signatures_by_end').on(table.expiresAt)],
);

/**
 * Numbers that machines must agree on; a transaction that changes one holds its row until the end of the transaction. `devices`: how
 * many there are. `events`: the place of the last one (event-schema.ts).
 */
export const counts = pgTable('counts', {
  name: text('name').primaryKey(),
  value: bigint('value', { mode: 'number' }).notNull(),
});

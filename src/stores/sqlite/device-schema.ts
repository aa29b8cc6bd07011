// The tables of the registered devices, beside those of the log (schema.ts). All times are wall time, except those of
// used signatures.

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

/** Registered devices: the columns for finding and pruning them; everything else is encrypted. */
export const devices = sqliteTable(
  'devices',
  {
    rowId: integer('row_id').primaryKey(),
    id: text('id').notNull(),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    registrar: text('registrar').notNull(),
    tokenHash: text('token_hash').notNull(),
    userHash: text('user_hash'),
    /** Of app, token, user and app_data: what makes two registrations the same device. */
    identityHash: text('identity_hash').notNull(),
    createdAtMs: integer('created_at_ms').notNull(),
    /** When it registered or took a push last, to the day. */
    seenAtMs: integer('seen_at_ms').notNull(),
    deadSinceMs: integer('dead_since_ms'),
    /** Token, app_data, user, locale, node ids, secrets and handles, encrypted. */
    sealed: blob('sealed', { mode: 'buffer' }).notNull(),
  },
  (table) => [
    uniqueIndex('devices_by_id').on(table.id),
    // The backend's devices only: a registration without its key must not find an existing device.
    uniqueIndex('devices_by_identity').on(table.identityHash).where(sql`registrar = 'backend'`),
    index('devices_by_token').on(table.tokenHash),
    index('devices_by_user').on(table.userHash).where(sql`user_hash IS NOT NULL`),
    index('devices_by_death').on(table.deadSinceMs).where(sql`dead_since_ms IS NOT NULL`),
    index('devices_by_sight').on(table.seenAtMs),
    check('devices_registrar_known', sql`registrar IN ('backend', 'app', 'self')`),
  ],
);

/** The fingerprints of a device's handles. */
export const handles = sqliteTable(
  'handles',
  {
    handleHash: text('handle_hash').primaryKey(),
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
    keyHash: text('key_hash').primaryKey(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('used_signatures_by_end').on(table.expiresAtMs)],
);

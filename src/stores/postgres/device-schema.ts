// The tables of the registered devices, beside those of the log (schema.ts): as in ../sqlite/device-schema.ts.

import { sql } from 'drizzle-orm';
import { bigint, check, index, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { bytea, time } from './columns.ts';

export const devices = pgTable(
  'devices',
  {
    rowId: bigint('row_id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    id: text('id').notNull(),
    app: text('app').notNull(),
    platform: text('platform').notNull(),
    registrar: text('registrar').notNull(),
    tokenHash: text('token_hash').notNull(),
    userHash: text('user_hash'),
    identityHash: text('identity_hash').notNull(),
    createdAt: time('created_at').notNull(),
    seenAt: time('seen_at').notNull(),
    deadSince: time('dead_since'),
    sealed: bytea('sealed').notNull(),
  },
  (table) => [
    uniqueIndex('devices_by_id').on(table.id),
    uniqueIndex('devices_by_identity').on(table.identityHash).where(sql`registrar = 'backend'`),
    index('devices_by_token').on(table.tokenHash),
    index('devices_by_user').on(table.userHash).where(sql`user_hash IS NOT NULL`),
    index('devices_by_death').on(table.deadSince).where(sql`dead_since IS NOT NULL`),
    index('devices_by_sight').on(table.seenAt),
    check('devices_registrar_known', sql`registrar IN ('backend', 'app', 'self')`),
  ],
);

export const handles = pgTable(
  'handles',
  {
    handleHash: text('handle_hash').primaryKey(),
    deviceRowId: bigint('device_row_id', { mode: 'number' })
      .notNull()
      .references(() => devices.rowId, { onDelete: 'cascade' }),
    door: text('door').notNull(),
  },
  (table) => [index('handles_by_device').on(table.deviceRowId)],
);

export const usedSignatures = pgTable(
  'used_signatures',
  {
    keyHash: text('key_hash').primaryKey(),
    expiresAt: time('expires_at').notNull(),
  },
  (table) => [index('used_signatures_by_end').on(table.expiresAt)],
);

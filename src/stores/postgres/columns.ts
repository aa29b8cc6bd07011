// The kinds of columns that several files of the schema use.

import { bigint, customType, timestamp } from 'drizzle-orm/pg-core';

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** The driver reads it as milliseconds (pool.ts): what SQLite calls `received_at_ms` is `received_at` here. */
export function time(name: string) {
  return timestamp(name, { withTimezone: true });
}

/** A duration in milliseconds. */
export function whole(name: string) {
  return bigint(name, { mode: 'number' });
}

/**
 * An id or fingerprint: ordered by its bytes, whatever the language of the database, so that an index finds prefixes.
 */
export const key = customType<{ data: string }>({ dataType: () => 'text COLLATE "C"' });

// A provider's message ids, written small: a UUID (APNs) as 16 bytes; of FCM's
// `projects/<project>/messages/<id>` the part that repeats is kept once in `message_prefixes`.

import type Database from 'better-sqlite3';
import { tryPackUuid, unpackUuid } from './codec.ts';

const PREFIX = /^projects\/[^/]+\/messages\//;
/** A vendor has a few projects; beyond, an id is written whole. */
const MAX_PREFIXES = 100;

export interface PackedMessageId {
  readonly prefixId: number | null;
  readonly messageId: Buffer | string | null;
}

export function createMessageIds(db: Database.Database) {
  const find = db
    .prepare<[string], number>('SELECT prefix_id FROM message_prefixes WHERE prefix = ?')
    .pluck();
  const add = db.prepare(
    `INSERT INTO message_prefixes (prefix) SELECT ?
     WHERE (SELECT count(*) FROM message_prefixes) < ${MAX_PREFIXES}`,
  );

  return {
    pack(messageId: string | undefined): PackedMessageId {
      if (messageId === undefined) return { prefixId: null, messageId: null };
      const uuid = tryPackUuid(messageId);
      if (uuid !== undefined) return { prefixId: null, messageId: uuid };
      const prefix = PREFIX.exec(messageId)?.[0];
      if (prefix === undefined) return { prefixId: null, messageId };
      let prefixId = find.get(prefix);
      if (prefixId === undefined && add.run(prefix).changes === 1) prefixId = find.get(prefix);
      if (prefixId === undefined) return { prefixId: null, messageId };
      return { prefixId, messageId: messageId.slice(prefix.length) };
    },
  };
}

/** What `pack` was given; nothing if there was no id. */
export function unpackMessageId(
  prefix: string | null,
  messageId: Buffer | string | null,
): string | undefined {
  if (messageId === null) return undefined;
  return typeof messageId === 'string' ? `${prefix ?? ''}${messageId}` : unpackUuid(messageId);
}

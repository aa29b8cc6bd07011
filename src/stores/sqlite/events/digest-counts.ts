// The counts for the digests of e-mail endpoints: raised in the transaction that records the event, so that nothing is
// lost when events are deleted, and lowered when a digest was sent.

import type Database from 'better-sqlite3';
import type { DigestCount } from '../../../core/ports/events.ts';
import { wholeMs } from '../../values.ts';

/** Kinds of one endpoint. Further reasons are counted as `other`, so that no caller can make a digest grow. */
const MAX_KINDS = 200;
const OTHER = 'other';

export interface Counted {
  readonly type: string;
  readonly app?: string | undefined;
  readonly reason?: string | undefined;
  readonly atMs: number;
}

export function prepareDigestCounts(db: Database.Database) {
  const add = db.prepare(
    `UPDATE digest_counts SET count = count + 1, from_ms = min(from_ms, @atMs), to_ms = max(to_ms, @atMs)
     WHERE endpoint_id = @endpointId AND type = @type AND app = @app AND reason = @reason`,
  );
  const insert = db.prepare(
    `INSERT INTO digest_counts (endpoint_id, type, app, reason, count, from_ms, to_ms)
     VALUES (@endpointId, @type, @app, @reason, 1, @atMs, @atMs)`,
  );
  const countKinds = db
    .prepare<[string], number>('SELECT count(*) FROM digest_counts WHERE endpoint_id = ?')
    .pluck();
  const takeOff = db.prepare(
    `UPDATE digest_counts SET count = max(0, count - @count), from_ms = max(from_ms, @toMs),
       to_ms = max(to_ms, @toMs)
     WHERE endpoint_id = @endpointId AND type = @type AND app = @app AND reason = @reason`,
  );
  const removeEmpty = db.prepare('DELETE FROM digest_counts WHERE endpoint_id = ? AND count = 0');

  return {
    count(endpointId: string, { type, app = '', reason = '', atMs }: Counted): void {
      const counted = { endpointId, type, app, reason, atMs: wholeMs(atMs) };
      if (add.run(counted).changes > 0) return;
      if ((countKinds.get(endpointId) ?? 0) < MAX_KINDS) {
        insert.run(counted);
        return;
      }
      const other = { ...counted, reason: OTHER };
      if (add.run(other).changes === 0) insert.run(other);
    },
    told(endpointId: string, counts: readonly DigestCount[]): void {
      for (const { type, app = '', reason = '', count, toMs } of counts) {
        takeOff.run({ endpointId, type, app, reason, count, toMs: wholeMs(toMs) });
      }
      if (counts.length > 0) removeEmpty.run(endpointId);
    },
  };
}

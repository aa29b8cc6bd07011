// What the log knows about tokens and duplicate keys.

import type Database from 'better-sqlite3';
import type { QuarantineEntry } from '../../../core/ports/store.ts';
import { toQuarantineEntry } from '../../domain.ts';
import { QUARANTINED, type RowOf, TOKENS } from '../../rows.ts';
import type { DuplicateQuery, QuarantineQuery, TokenPage, TokenPageQuery } from '../protocol.ts';

export function prepareFindDuplicate(db: Database.Database) {
  const findKey = db
    .prepare<DuplicateQuery, string>(
      `SELECT delivery_id FROM duplicate_keys WHERE key_hash = @keyHash AND (expires_at_ms > @nowMs
         OR EXISTS (SELECT 1 FROM deliveries d JOIN queue USING (row_id) WHERE d.id = delivery_id))`,
    )
    .pluck();
  return (query: DuplicateQuery): string | undefined => findKey.get(query);
}

export function prepareTokenQueries(db: Database.Database) {
  const findQuarantined = db.prepare<[number, number], RowOf<typeof QUARANTINED>>(
    `${QUARANTINED.sql} WHERE until_ms > ? ORDER BY since_ms DESC LIMIT ?`,
  );
  const tokenPage = db.prepare<[number, number], RowOf<typeof TOKENS>>(
    `${TOKENS.sql} WHERE row_id < ? ORDER BY row_id DESC LIMIT ?`,
  );

  return {
    listQuarantine: ({ wallMs, limit }: QuarantineQuery): readonly QuarantineEntry[] =>
      findQuarantined.all(wallMs, limit).map(toQuarantineEntry),

    /** A page at a time, so that another query waits for a page and not for the whole log. */
    provenTokens({ beforeRowId, maxRows }: TokenPageQuery): TokenPage {
      const rows = tokenPage.all(beforeRowId ?? Number.MAX_SAFE_INTEGER, maxRows);
      const delivered = rows.filter(({ status }) => status === 'delivered');
      return {
        tokenHashes: [...new Set(delivered.map(({ token_hash }) => token_hash))],
        nextRowId: rows.length < maxRows ? undefined : rows.at(-1)?.row_id,
      };
    },
  };
}

// What the log knows about tokens and duplicate keys.

import type Database from 'better-sqlite3';
import type { QuarantineEntry } from '../../core/ports/store.ts';
import {
  nameOf,
  PROVIDERS,
  QUARANTINE_KINDS,
  tryPackFingerprint,
  unpackFingerprint,
  unpackUuid,
} from './codec.ts';
import type { DuplicateQuery, QuarantineQuery, TokenPage, TokenPageQuery } from './protocol.ts';

interface TokenRow {
  readonly rowId: number;
  readonly tokenHash: Buffer;
  readonly delivered: number;
}

interface QuarantineRow {
  readonly tokenHash: Buffer;
  readonly app: string;
  readonly provider: number;
  readonly kind: number;
  readonly reason: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly providerSinceMs: number | null;
}

export function prepareTokenQueries(db: Database.Database) {
  const findKey = db
    .prepare<[Buffer, number], Buffer>(
      'SELECT delivery_id FROM duplicate_keys WHERE key_hash = ? AND expires_at_ms > ?',
    )
    .pluck();
  const findQuarantined = db.prepare<[number, number], QuarantineRow>(
    `SELECT token_hash AS tokenHash, app, provider, kind, reason, since_ms AS sinceMs,
       until_ms AS untilMs, provider_since_ms AS providerSinceMs
     FROM quarantine WHERE until_ms > ? ORDER BY since_ms DESC LIMIT ?`,
  );
  const tokenPage = db.prepare<[number, number], TokenRow>(
    `SELECT row_id AS rowId, token_hash AS tokenHash, status = 1 AS delivered
     FROM deliveries WHERE row_id < ? ORDER BY row_id DESC LIMIT ?`,
  );

  return {
    findDuplicate({ keyHash, nowMs }: DuplicateQuery): string | undefined {
      const packed = tryPackFingerprint(keyHash);
      const id = packed && findKey.get(packed, nowMs);
      return id && unpackUuid(id);
    },

    listQuarantine({ nowMs, limit }: QuarantineQuery): readonly QuarantineEntry[] {
      return findQuarantined.all(nowMs, limit).map(toEntry);
    },

    /** A page at a time, so that another query waits for a page and not for the whole log. */
    provenTokens({ beforeRowId, maxRows }: TokenPageQuery): TokenPage {
      const rows = tokenPage.all(beforeRowId ?? Number.MAX_SAFE_INTEGER, maxRows);
      const hashes = new Set<string>();
      for (const row of rows) {
        if (row.delivered === 1) hashes.add(unpackFingerprint(row.tokenHash));
      }
      const last = rows.at(-1);
      const tokenHashes = [...hashes];
      return rows.length < maxRows || last === undefined
        ? { tokenHashes }
        : { tokenHashes, nextRowId: last.rowId };
    },
  };
}

function toEntry({ tokenHash, provider, kind, providerSinceMs, ...rest }: QuarantineRow) {
  return {
    ...rest,
    tokenHash: unpackFingerprint(tokenHash),
    provider: nameOf(PROVIDERS, provider),
    kind: nameOf(QUARANTINE_KINDS, kind),
    ...(providerSinceMs === null ? {} : { providerSinceMs }),
  };
}

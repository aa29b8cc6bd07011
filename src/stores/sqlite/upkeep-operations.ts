// Everything else that is written: quarantine, replies, retention, and the probe for readiness.

import type Database from 'better-sqlite3';
import type { QuarantineEntry } from '../../core/ports/store.ts';
import {
  codeOf,
  PROVIDERS,
  packFingerprint,
  packUuid,
  QUARANTINE_KINDS,
  tryPackFingerprint,
  wholeMs,
} from './codec.ts';
import { prepareLookupPruning } from './lookups.ts';
import type { PruneOptions, ReplyRecord } from './protocol.ts';

/** More than fits into the gaps of existing pages, so that a probe needs what a delivery would need. */
const PROBE_BYTES = 8_192;

export function prepareUpkeepOperations(db: Database.Database) {
  const recordReply = db.prepare('UPDATE deliveries SET answered_at_ms = ? WHERE id = ?');
  const insertProbe = db.prepare('INSERT INTO probes (filler) VALUES (zeroblob(?))');
  const deleteProbes = db.prepare('DELETE FROM probes');

  return {
    ...prepareQuarantine(db),
    prune: preparePrune(db),
    recordReply({ deliveryId, answeredAtMs }: ReplyRecord): void {
      recordReply.run(wholeMs(answeredAtMs), packUuid(deliveryId));
    },
    probe(): void {
      insertProbe.run(PROBE_BYTES);
      deleteProbes.run();
    },
  };
}

function prepareQuarantine(db: Database.Database) {
  const put = db.prepare(
    `INSERT OR REPLACE INTO quarantine
       (token_hash, app, provider, kind, reason, since_ms, until_ms, provider_since_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare('DELETE FROM quarantine WHERE token_hash = ?');

  return {
    quarantine(entry: QuarantineEntry): void {
      put.run(
        packFingerprint(entry.tokenHash),
        entry.app,
        codeOf(PROVIDERS, entry.provider),
        codeOf(QUARANTINE_KINDS, entry.kind),
        entry.reason,
        wholeMs(entry.sinceMs),
        wholeMs(entry.untilMs),
        entry.providerSinceMs === undefined ? null : wholeMs(entry.providerSinceMs),
      );
    },
    releaseQuarantine(tokenHash: string): boolean {
      const packed = tryPackFingerprint(tokenHash);
      return packed !== undefined && remove.run(packed).changes > 0;
    },
  };
}

function preparePrune(db: Database.Database) {
  const deleteDeliveries = db.prepare(
    `DELETE FROM deliveries WHERE row_id IN (
       SELECT row_id FROM deliveries WHERE received_at_ms < ? AND status <> 0
       ORDER BY received_at_ms LIMIT ?)`,
  );
  const deleteKeys = db.prepare(
    `DELETE FROM duplicate_keys WHERE key_hash IN (
       SELECT key_hash FROM duplicate_keys WHERE expires_at_ms <= ? LIMIT ?)`,
  );
  const deleteQuarantines = db.prepare(
    `DELETE FROM quarantine WHERE token_hash IN (
       SELECT token_hash FROM quarantine WHERE until_ms <= ? LIMIT ?)`,
  );

  const pruneLookups = prepareLookupPruning(db);

  return function prune({ beforeMs, nowMs, limit }: PruneOptions): number {
    let gone = deleteDeliveries.run(beforeMs, limit).changes;
    gone += pruneLookups(limit - gone);
    gone += deleteKeys.run(nowMs, limit - gone).changes;
    gone += deleteQuarantines.run(nowMs, limit - gone).changes;
    return gone;
  };
}

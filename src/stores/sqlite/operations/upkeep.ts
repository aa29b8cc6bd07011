// What is written beside deliveries and devices: quarantine, retention, and the probe for readiness.

import type Database from 'better-sqlite3';
import { fingerprint, wholeMs } from '../../values.ts';
import type { EventRecording } from '../events/recording.ts';
import type { PruneOptions, QuarantineWrite } from '../protocol.ts';

/** More than fits into the free space of existing pages, so that a probe needs as much as a delivery would. */
const PROBE_BYTES = 8_192;

export function prepareUpkeepOperations(db: Database.Database, recording: EventRecording) {
  const insertProbe = db.prepare("INSERT INTO meta (name, value) VALUES ('probe', zeroblob(?))");
  const deleteProbe = db.prepare("DELETE FROM meta WHERE name = 'probe'");

  return {
    ...prepareQuarantine(db, recording),
    prune: preparePrune(db),
    probe(): void {
      insertProbe.run(PROBE_BYTES);
      deleteProbe.run();
    },
  };
}

function prepareQuarantine(db: Database.Database, recording: EventRecording) {
  const put = db.prepare(
    `INSERT OR REPLACE INTO quarantine
       (token_hash, app, provider, kind, reason, since_ms, until_ms, provider_since_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const remove = db.prepare('DELETE FROM quarantine WHERE token_hash = ?');

  return {
    quarantine({ entry, about }: QuarantineWrite): void {
      const { providerSinceMs } = entry;
      put.run(
        fingerprint(entry.tokenHash),
        entry.app,
        entry.provider,
        entry.kind,
        entry.reason,
        wholeMs(entry.sinceMs),
        wholeMs(entry.untilMs),
        providerSinceMs === undefined ? null : wholeMs(providerSinceMs),
      );
      if (about === undefined) return;
      const { app, provider, tokenHash, reason } = entry;
      const told = { app, provider, tokenHash, reason, ...about };
      recording.record({ ...told, type: 'device.quarantined' });
    },
    releaseQuarantine: ({ tokenHash }: { readonly tokenHash: string }): boolean =>
      remove.run(tokenHash).changes > 0,
  };
}

function preparePrune(db: Database.Database) {
  // Rows lie in the order of receipt, so only the oldest have to be read.
  const deleteDeliveries = db.prepare(
    `DELETE FROM deliveries WHERE row_id IN (
       SELECT row_id FROM (
         SELECT row_id, received_at_ms, status FROM deliveries ORDER BY row_id LIMIT @limit)
       WHERE received_at_ms < @beforeMs AND status <> 'queued')`,
  );
  const deleteKeys = db.prepare(
    `DELETE FROM duplicate_keys WHERE key_hash IN (
       SELECT key_hash FROM duplicate_keys WHERE expires_at_ms <= ? AND NOT EXISTS (
         SELECT 1 FROM deliveries d JOIN queue USING (row_id) WHERE d.id = delivery_id)
       LIMIT ?)`,
  );
  const deleteQuarantines = db.prepare(
    `DELETE FROM quarantine WHERE token_hash IN (
       SELECT token_hash FROM quarantine WHERE until_ms <= ? LIMIT ?)`,
  );

  // The wall clock was set back: an entry counts as made now, and lasts no longer than it would have.
  const dateBack = db.prepare(
    `UPDATE quarantine SET since_ms = @wallMs, until_ms = until_ms - (since_ms - @wallMs)
     WHERE since_ms > @wallMs`,
  );

  return function prune({ beforeMs, nowMs, wallMs, limit }: PruneOptions): number {
    dateBack.run({ wallMs: wholeMs(wallMs) });
    let gone = deleteDeliveries.run({ beforeMs, limit }).changes;
    gone += deleteKeys.run(nowMs, limit - gone).changes;
    gone += deleteQuarantines.run(wallMs, limit - gone).changes;
    return gone;
  };
}

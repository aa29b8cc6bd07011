// What is written beside deliveries: quarantine, retention, replies, and the probe for readiness.

import { randomUUID } from 'node:crypto';
import type { Condemned } from '../../../core/ports/events.ts';
import type { QuarantineEntry, Store } from '../../../core/ports/store.ts';
import { fingerprint } from '../../values.ts';
import type { Database, Run } from '../database.ts';
import { recordEvents } from '../events/recording.ts';
import { maybeWall, type Times, wall } from '../times.ts';

/** Deletions per transaction: few, so that others do not wait long for their locks. */
const PRUNE_ROWS = 200;

export function prepareUpkeep(database: Database, times: Times) {
  return {
    /** A hold from one machine neither lifts a refusal nor shortens a hold that another one wrote. */
    async quarantine(entry: QuarantineEntry, about?: Condemned): Promise<void> {
      const { tokenHash, app, provider, kind, reason, sinceMs, untilMs, providerSinceMs } = entry;
      await database.transaction(async (run) => {
        await run(
          `INSERT INTO quarantine (token_hash, app, provider, kind, reason, since, until, provider_since)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (token_hash) DO UPDATE SET app = excluded.app, provider = excluded.provider,
             kind = excluded.kind, reason = excluded.reason, since = excluded.since,
             until = excluded.until, provider_since = excluded.provider_since
           WHERE excluded.kind <> 'throttled' OR quarantine.until <= excluded.since
             OR (quarantine.kind = 'throttled' AND quarantine.until < excluded.until)`,
          [
            ...[fingerprint(tokenHash), app, provider, kind, reason],
            ...[times.atWall(sinceMs), times.atWall(untilMs), maybeWall(providerSinceMs)],
          ],
        );
        if (about === undefined) return;
        const told = { app, provider, tokenHash, reason, ...about };
        await recordEvents(run, [{ ...told, type: 'device.quarantined' }]);
      });
    },

    async releaseQuarantine(tokenHash: string): Promise<boolean> {
      const sql = 'DELETE FROM quarantine WHERE token_hash = $1';
      return (await database.run(sql, [tokenHash])).count > 0;
    },

    async recordReply({
      deliveryId,
      answeredAtMs,
    }: Parameters<Store['recordReply']>[0]): Promise<void> {
      const sql = 'UPDATE deliveries SET answered_at = $2 WHERE id = $1';
      await database.run(sql, [deliveryId, wall(answeredAtMs)]);
    },

    /** Detects a standby, a full disk or a missing right. */
    async probe(ride: (run: Run) => Promise<void>): Promise<void> {
      const name = `probe ${randomUUID()}`;
      await database.transaction(async (run) => {
        await run(`INSERT INTO meta (name, value) VALUES ($1, '')`, [name]);
        await run('DELETE FROM meta WHERE name = $1', [name]);
        await ride(run);
      });
    },

    prune: preparePrune(database, times),
  };
}

function preparePrune(database: Database, times: Times) {
  async function pruneSome(beforeMs: number, nowMs: number, limit: number): Promise<number> {
    return await database.transaction(async (run) => {
      // Rows lie in the order of receipt, so only the oldest have to be read.
      const deliveries = await run(
        `DELETE FROM deliveries WHERE row_id IN (
           SELECT row_id FROM deliveries WHERE row_id IN (
             SELECT row_id FROM deliveries ORDER BY row_id LIMIT $2)
           AND received_at < $1 AND status <> 'queued' FOR UPDATE SKIP LOCKED)`,
        [wall(beforeMs), limit],
      );
      let gone = deliveries.count;
      const keys = await run(
        `DELETE FROM duplicate_keys WHERE key_hash IN (
           SELECT key_hash FROM duplicate_keys k WHERE expires_at <= $1 AND NOT EXISTS (
             SELECT FROM deliveries d JOIN queue USING (row_id) WHERE d.id = k.delivery_id)
           LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [times.at(nowMs), limit - gone],
      );
      gone += keys.count;
      const quarantines = await run(
        `DELETE FROM quarantine WHERE token_hash IN (
           SELECT token_hash FROM quarantine WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [times.at(nowMs), limit - gone],
      );
      return gone + quarantines.count;
    });
  }

  return async function prune({ beforeMs, nowMs, limit }: Parameters<Store['prune']>[0]) {
    let gone = 0;
    while (gone < limit) {
      const pruned = await pruneSome(beforeMs, nowMs, Math.min(PRUNE_ROWS, limit - gone));
      if (pruned === 0) break;
      gone += pruned;
    }
    return gone;
  };
}

// What the log knows about tokens, duplicate keys and the queue.

import type { QuarantineEntry, QueueState, Store } from '../../../core/ports/store.ts';
import { QUARANTINED, TOKENS } from '../../rows.ts';
import type { Database } from '../database.ts';
import { rowsOf, selectOf } from '../reading.ts';
import type { Times } from '../times.ts';
import { toQuarantined } from './quarantined.ts';

/** Rows read by one statement. */
const TOKEN_PAGE_ROWS = 10_000;

const KEY_HOLDER = { columns: { delivery_id: 'text' }, sql: 'the holder of a key' } as const;
const QUEUE_STATE = {
  columns: { deliveries: 'integer', first_ms: 'integer?' },
  sql: 'the state of the queue',
} as const;

export function prepareTokenQueries(database: Database, times: Times) {
  return {
    async findDuplicate({
      keyHash,
      nowMs,
    }: Parameters<Store['findDuplicate']>[0]): Promise<string | undefined> {
      const { rows } = await database.run(
        `SELECT delivery_id FROM duplicate_keys k WHERE key_hash = $1 AND (expires_at > $2
           OR EXISTS (SELECT FROM deliveries d JOIN queue USING (row_id) WHERE d.id = k.delivery_id))`,
        [keyHash, times.at(nowMs)],
      );
      return rowsOf(KEY_HOLDER, rows)[0]?.delivery_id;
    },

    async listQuarantine({
      wallMs,
      limit,
    }: Parameters<Store['listQuarantine']>[0]): Promise<readonly QuarantineEntry[]> {
      const { rows } = await database.run(
        `${selectOf(QUARANTINED)} WHERE until > $1 ORDER BY since DESC LIMIT $2`,
        [times.atWall(wallMs), limit],
      );
      return rowsOf(QUARANTINED, rows).map((row) => toQuarantined(row, times));
    },

    /** Page by page, so that none takes long. */
    async listProvenTokens(limit: number): Promise<readonly string[]> {
      const tokenHashes = new Set<string>();
      let before = Number.MAX_SAFE_INTEGER;
      for (;;) {
        const { rows } = await database.run(
          `${selectOf(TOKENS)} WHERE row_id < $1 ORDER BY row_id DESC LIMIT $2`,
          [before, TOKEN_PAGE_ROWS],
        );
        const page = rowsOf(TOKENS, rows);
        for (const { status, token_hash } of page) {
          if (tokenHashes.size === limit) return [...tokenHashes];
          if (status === 'delivered') tokenHashes.add(token_hash);
        }
        const last = page.at(-1);
        if (last === undefined || page.length < TOKEN_PAGE_ROWS) return [...tokenHashes];
        before = last.row_id;
      }
    },

    async queueState({ nowMs }: { readonly nowMs: number }): Promise<QueueState> {
      const { rows } = await database.run(
        'SELECT count(*) AS deliveries, min(ready_at) AS first_ms FROM queue',
      );
      const { deliveries = 0, first_ms = null } = rowsOf(QUEUE_STATE, rows)[0] ?? {};
      const oldestDueForMs = first_ms === null ? 0 : Math.max(0, nowMs - times.from(first_ms));
      return { deliveries, oldestDueForMs };
    },
  };
}

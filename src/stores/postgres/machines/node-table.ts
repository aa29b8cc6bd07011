// The table of the machines that share the database, and its statements.

import type { Peer } from '../../../core/ports/peers.ts';
import type { Database } from '../database.ts';
import { rowsOf } from '../reading.ts';
import type { Beat } from './liveness.ts';

const BEAT_MS = 1_000;
/** Short, because a device's reply waits for it. */
const FIND_MS = 500;
/** Rows that are freed at once: few, so that other machines can claim them meanwhile. */
export const FREE_ROWS = 50;

const BEATS = {
  columns: {
    id: 'text',
    beat: 'integer',
    epoch: 'integer',
    now_ms: 'integer',
    beaten: 'integer',
    synchronous_commit: 'text',
  },
  sql: 'the beats',
} as const;
const PEER = { columns: { url: 'text?', epoch: 'integer' }, sql: 'a machine' } as const;
const EPOCH = { columns: { epoch: 'integer' }, sql: 'an epoch' } as const;

/** All machines at the moment of a beat. */
export interface Beaten {
  readonly beats: readonly Beat[];
  /** False if this machine is no longer in the table, or has another epoch. */
  readonly isMine: boolean;
  /** By the database's clock; absent if there is no machine. */
  readonly databaseMs: number | undefined;
  readonly commitsAreSafe: boolean;
}

/** Every promise rejects with `StoreUnavailableError` if the database does not answer. */
export interface NodeTable {
  /** Enters a machine, or gives it a new epoch, which is returned. */
  register(id: string, url: string | null): Promise<number>;
  /** Raises the counter of a machine, and reads those of all. */
  beat(id: string, epoch: number): Promise<Beaten>;
  announce(id: string, url: string): Promise<void>;
  find(id: string): Promise<Peer | undefined>;
  /** Removes a machine that leases nothing. */
  leave(id: string): Promise<void>;
  /** Raises the epoch of a machine that has not beaten since. False if it has beaten, or another machine was first. */
  declareDead(beat: Beat): Promise<boolean>;
  /** Gives up some leases of a dead machine, `FREE_ROWS` at most, for the next claim. Returns how many. */
  free(id: string): Promise<number>;
  /**
   * Ends the outages that a dead machine saw, which no other machine would end, and removes it if it leases nothing.
   */
  forget(id: string, epoch: number): Promise<void>;
}

export function createNodeTable(database: Database): NodeTable {
  return {
    async register(id, url) {
      const { rows } = await database.run(
        `INSERT INTO nodes (id, url, beat, epoch, started_at, beaten_at) VALUES ($1, $2, 0, 1, now(), now())
         ON CONFLICT (id) DO UPDATE SET epoch = nodes.epoch + 1, beat = nodes.beat + 1,
           beaten_at = now()
         RETURNING epoch`,
        [id, url],
      );
      return rowsOf(EPOCH, rows)[0]?.epoch ?? 0;
    },

    async beat(id, epoch) {
      const found = await database.run(
        `WITH beaten AS (
           UPDATE nodes SET beat = beat + 1, beaten_at = now() WHERE id = $1 AND epoch = $2 RETURNING id)
         SELECT id, beat, epoch, clock_timestamp() AS now_ms, (SELECT count(*) FROM beaten) AS beaten,
           current_setting('synchronous_commit') AS synchronous_commit
         FROM nodes`,
        [id, epoch],
        { statementMs: BEAT_MS },
      );
      const beats = rowsOf(BEATS, found.rows);
      const [first] = beats;
      return {
        beats,
        isMine: first?.beaten === 1,
        databaseMs: first?.now_ms,
        commitsAreSafe: first?.synchronous_commit !== 'off',
      };
    },

    async announce(id, url) {
      await database.run('UPDATE nodes SET url = $2 WHERE id = $1', [id, url]);
    },

    async find(id) {
      const sql = 'SELECT url, epoch FROM nodes WHERE id = $1';
      const { rows } = await database.run(sql, [id], { statementMs: FIND_MS });
      const [found] = rowsOf(PEER, rows);
      return found && { url: found.url ?? undefined, epoch: found.epoch };
    },

    async leave(id) {
      const sql = `DELETE FROM nodes WHERE id = $1 AND NOT EXISTS (SELECT FROM queue WHERE lease_owner = $1)`;
      await database.run(sql, [id], { isAccepted: true });
    },

    async declareDead({ id, beat, epoch }) {
      const declared = await database.run(
        'UPDATE nodes SET epoch = epoch + 1 WHERE id = $1 AND beat = $2 AND epoch = $3',
        [id, beat, epoch],
      );
      return declared.count > 0;
    },

    async free(id) {
      const freed = await database.run(
        `UPDATE queue q SET due_at = least(q.due_at, now()), lease_owner = NULL, lease_until = NULL,
           interrupted = q.interrupted OR d.attempts = 0
         FROM deliveries d WHERE d.row_id = q.row_id AND q.row_id IN (
           SELECT row_id FROM queue WHERE lease_owner = $1 ORDER BY row_id LIMIT ${FREE_ROWS} FOR UPDATE SKIP LOCKED)`,
        [id],
      );
      return freed.count;
    },

    async forget(id, epoch) {
      await database.run(
        'UPDATE outages SET ended_at = greatest(began_at, now()) WHERE node = $1 AND ended_at IS NULL',
        [id],
      );
      await database.run(
        `DELETE FROM nodes WHERE id = $1 AND epoch = $2 AND NOT EXISTS (SELECT FROM queue WHERE lease_owner = $1)`,
        [id, epoch],
      );
    },
  };
}

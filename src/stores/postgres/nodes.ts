// This machine among the others: it raises its counter every second, reads theirs, and frees what a dead machine left, for
// whoever claims next. A machine that was declared dead and is alive all the same gets a new epoch: what it asks for under
// the old one is refused. The answers also show how the database's clock differs from ours.

import type { Clock, Timer } from '../../core/ports/clock.ts';
import type { Peer, Peers } from '../../core/ports/peers.ts';
import type { Database } from './database.ts';
import { type Beat, Liveness } from './liveness.ts';
import { rowsOf } from './reading.ts';
import type { Times } from './times.ts';

const BEAT_EVERY_MS = 1_000;
const BEAT_MS = 1_000;
/** A device's reply waits for it. */
const FIND_MS = 500;
/** Half of what makes a machine dead: whose last beat is older may have lost what it leases. */
const FRESH_MS = 3_000;
/** Rows that are freed at once: few, so that other machines can claim them meanwhile. */
const FREE_ROWS = 50;

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

export interface NodesParts {
  readonly id: string;
  readonly clock: Clock;
  readonly database: Database;
  readonly times: Times;
  /** So many deliveries of a dead machine may be claimed now. */
  readonly onTakenOver?:
    | ((taken: { readonly nodeId: string; readonly deliveries: number }) => void)
    | undefined;
}

export class Nodes implements Peers {
  readonly #parts: NodesParts;
  readonly #liveness = new Liveness();
  #epoch = 0;
  #url: string | null = null;
  #commitsAreSafe = true;
  #beatBeganAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #beating: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: NodesParts) {
    this.#parts = parts;
  }

  get id(): string {
    return this.#parts.id;
  }

  /** Whether a commit is answered when it is on the disk, as of the last beat. */
  get commitsAreSafe(): boolean {
    return this.#commitsAreSafe;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether others still count this machine among the living, for certain. */
  get isFresh(): boolean {
    return this.#parts.clock.nowMs() - this.#beatBeganAtMs < FRESH_MS;
  }

  /** Beats at once if the last beat is old: after a stall of this process the others may still count it among the living. */
  async freshen(): Promise<boolean> {
    if (!this.isFresh && !this.#isStopped) {
      this.#beating = this.#beating.then(() => (this.isFresh ? undefined : this.#turn()));
      await this.#beating;
    }
    return this.isFresh;
  }

  /** Rejects if the database cannot be written. */
  async join(): Promise<void> {
    await this.#register();
    await this.#beat();
    this.#plan();
  }

  /** Where the others reach this machine. Rejects if the database cannot be written. */
  async announce(url: string): Promise<void> {
    this.#url = url;
    await this.#parts.database.run('UPDATE nodes SET url = $2 WHERE id = $1', [this.id, url]);
  }

  /** Absent if no machine of this name is alive or waits to be taken over. Rejects if the database cannot be read. */
  async find(id: string): Promise<Peer | undefined> {
    const sql = 'SELECT url, epoch FROM nodes WHERE id = $1';
    const { rows } = await this.#parts.database.run(sql, [id], { statementMs: FIND_MS });
    const [found] = rowsOf(PEER, rows);
    return found && { url: found.url ?? undefined, epoch: found.epoch };
  }

  /** Beats no more; what is still leased to this machine keeps its name among the others until it is taken over. */
  async leave(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#beating;
    const { database, id } = this.#parts;
    const sql = `DELETE FROM nodes WHERE id = $1 AND NOT EXISTS (SELECT FROM queue WHERE lease_owner = $1)`;
    // If the database is gone, others find out by themselves.
    await database.run(sql, [id], { isAccepted: true }).catch(() => {});
  }

  #plan(delayMs = BEAT_EVERY_MS): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#beating = this.#turn();
    });
  }

  /** Never rejects. */
  async #turn(): Promise<void> {
    const { clock } = this.#parts;
    const beganAtMs = clock.nowMs();
    try {
      const dead = await this.#beat();
      // Beside the beats, which must not come late for it.
      for (const beat of dead) void this.#tryTakeOver(beat);
    } catch {
      // The database told its listeners; nothing is known of the others until it answers again.
      this.#liveness.readFailed();
    }
    this.#plan(Math.max(0, BEAT_EVERY_MS - (clock.nowMs() - beganAtMs)));
  }

  /** Returns the dead. */
  async #beat(): Promise<readonly Beat[]> {
    const { database, clock, times, id } = this.#parts;
    const beganAtMs = clock.nowMs();
    const found = await database.run(
      `WITH beaten AS (
         UPDATE nodes SET beat = beat + 1, beaten_at = now() WHERE id = $1 AND epoch = $2 RETURNING id)
       SELECT id, beat, epoch, clock_timestamp() AS now_ms, (SELECT count(*) FROM beaten) AS beaten,
         current_setting('synchronous_commit') AS synchronous_commit
       FROM nodes`,
      [id, this.#epoch],
      { statementMs: BEAT_MS },
    );
    const nowMs = clock.nowMs();
    const beats = rowsOf(BEATS, found.rows);
    const [first] = beats;
    if (first !== undefined) {
      this.#commitsAreSafe = first.synchronous_commit !== 'off';
      times.measure(first.now_ms, { sentAtMs: beganAtMs, answeredAtMs: nowMs });
    }
    if (first?.beaten === 1) this.#beatBeganAtMs = beganAtMs;
    // Others called this machine dead: whatever it leased is theirs.
    else await this.#register();
    return this.#liveness.read(
      beats.filter((beat) => beat.id !== id),
      nowMs,
    );
  }

  async #register(): Promise<void> {
    const { database, id } = this.#parts;
    const { rows } = await database.run(
      `INSERT INTO nodes (id, url, beat, epoch, started_at, beaten_at) VALUES ($1, $2, 0, 1, now(), now())
       ON CONFLICT (id) DO UPDATE SET epoch = nodes.epoch + 1, beat = nodes.beat + 1,
         beaten_at = now()
       RETURNING epoch`,
      [id, this.#url],
    );
    this.#epoch = rowsOf(EPOCH, rows)[0]?.epoch ?? 0;
  }

  /** Never rejects: what is left is taken over once the epoch has stood still again. */
  async #tryTakeOver(beat: Beat): Promise<void> {
    try {
      await this.#takeOver(beat);
    } catch {
      // The database told its listeners.
    }
  }

  /** The epoch first, so that the dead machine gets nothing more should it live; its name last. */
  async #takeOver({ id, beat, epoch }: Beat): Promise<void> {
    const { database, onTakenOver } = this.#parts;
    const declared = await database.run(
      'UPDATE nodes SET epoch = epoch + 1 WHERE id = $1 AND beat = $2 AND epoch = $3',
      [id, beat, epoch],
    );
    if (declared.count === 0) return;
    for (;;) {
      const { count } = await database.run(
        `UPDATE queue q SET due_at = least(q.due_at, now()), lease_owner = NULL, lease_until = NULL,
           interrupted = q.interrupted OR d.attempts = 0
         FROM deliveries d WHERE d.row_id = q.row_id AND q.row_id IN (
           SELECT row_id FROM queue WHERE lease_owner = $1 ORDER BY row_id LIMIT ${FREE_ROWS} FOR UPDATE SKIP LOCKED)`,
        [id],
      );
      if (count > 0) onTakenOver?.({ nodeId: id, deliveries: count });
      if (count < FREE_ROWS) break;
    }
    // Nobody else ends the outages that it saw.
    await database.run(
      'UPDATE outages SET ended_at = greatest(began_at, now()) WHERE node = $1 AND ended_at IS NULL',
      [id],
    );
    await database.run(
      `DELETE FROM nodes WHERE id = $1 AND epoch = $2 AND NOT EXISTS (SELECT FROM queue WHERE lease_owner = $1)`,
      [id, epoch + 1],
    );
  }
}

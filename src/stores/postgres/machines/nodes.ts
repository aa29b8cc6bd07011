// This machine among the others: it raises its counter every second, reads theirs, and frees what a dead machine left, for
// the next claim. A machine that was declared dead and is alive all the same gets a new epoch: what it asks for under
// the old one is refused. The answers also show how the database's clock differs from ours.

import type { Clock, Timer } from '../../../core/ports/clock.ts';
import type { Peer, Peers } from '../../../core/ports/peers.ts';
import type { Times } from '../times.ts';
import { type Beat, MachineLiveness } from './liveness.ts';
import { FREE_ROWS, type NodeTable } from './node-table.ts';

const BEAT_EVERY_MS = 1_000;
/** Half of what makes a machine dead: whose last beat is older may have lost what it leases. */
const FRESH_MS = 3_000;
export interface NodesParts {
  readonly id: string;
  readonly clock: Clock;
  readonly table: NodeTable;
  readonly times: Times;
  /** So many deliveries of a dead machine may be claimed now. */
  readonly onTakenOver?:
    | ((taken: { readonly nodeId: string; readonly deliveries: number }) => void)
    | undefined;
  /** Another machine stopped or died: what it would have sent later nobody else looks for. */
  readonly onGone?: (() => void) | undefined;
}

export class Nodes implements Peers {
  readonly #parts: NodesParts;
  readonly #liveness = new MachineLiveness();
  #others: ReadonlySet<string> = new Set();
  #epoch = 0;
  #url: string | null = null;
  #commitsAreSafe = true;
  #beatBeganAtMs = Number.NEGATIVE_INFINITY;
  #enteredAtMs = Number.NEGATIVE_INFINITY;
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

  /** True if the others certainly still count this machine as alive. */
  get isFresh(): boolean {
    return this.#parts.clock.nowMs() - this.#beatBeganAtMs < FRESH_MS;
  }

  /**
   * Whether what this machine leased at `leasedAtMs`, service time, is still its own: not what it leased before others
   * declared it dead. A lease of the milliseconds in which they still free its old ones may be freed with them.
   */
  holds(leasedAtMs: number): boolean {
    return this.isFresh && leasedAtMs >= this.#enteredAtMs;
  }

  /** Beats at once if the last beat is old: after a stall of this process the others may still count it as alive. */
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
    await this.#parts.table.announce(this.id, url);
  }

  /** Absent if no machine of this name is alive or waits to be taken over. Rejects if the database cannot be read. */
  find(id: string): Promise<Peer | undefined> {
    return this.#parts.table.find(id);
  }

  /** Beats no more; what is still leased to this machine keeps its name among the others until it is taken over. */
  async leave(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#beating;
    // If the database is gone, others find out by themselves.
    await this.#parts.table.leave(this.id).catch(() => {});
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
    const { table, clock, times, id } = this.#parts;
    const beganAtMs = clock.nowMs();
    const { beats, isMine, databaseMs, commitsAreSafe } = await table.beat(id, this.#epoch);
    const nowMs = clock.nowMs();
    if (databaseMs !== undefined) {
      this.#commitsAreSafe = commitsAreSafe;
      times.measure(databaseMs, { sentAtMs: beganAtMs, answeredAtMs: nowMs });
    }
    if (isMine) this.#beatBeganAtMs = beganAtMs;
    // Others called this machine dead: whatever it leased is theirs.
    else await this.#register();
    const others = beats.filter((beat) => beat.id !== id);
    const before = this.#others;
    this.#others = new Set(others.map((other) => other.id));
    if (!before.isSubsetOf(this.#others)) this.#parts.onGone?.();
    return this.#liveness.read(others, nowMs);
  }

  async #register(): Promise<void> {
    this.#epoch = await this.#parts.table.register(this.id, this.#url);
    this.#enteredAtMs = this.#parts.clock.nowMs();
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
  async #takeOver(beat: Beat): Promise<void> {
    const { table, onTakenOver, onGone } = this.#parts;
    const { id, epoch } = beat;
    if (!(await table.declareDead(beat))) return;
    for (;;) {
      const deliveries = await table.free(id);
      if (deliveries > 0) onTakenOver?.({ nodeId: id, deliveries });
      if (deliveries < FREE_ROWS) break;
    }
    onGone?.();
    await table.forget(id, epoch + 1);
  }
}

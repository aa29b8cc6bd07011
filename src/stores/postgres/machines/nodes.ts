// This machine among the others: it raises its counter every second, reads theirs, and frees what a dead machine left, for
// the next claim. A machine that was declared dead but is alive gets a new epoch: its operations under the old one are
// refused. The answers also show how the database's clock differs from ours.

import type { Clock, Timer } from '../../../core/ports/clock.ts';
import type { Peer, Peers } from '../../../core/ports/peers.ts';
import type { Times } from '../times.ts';
import { type Beat, MachineLiveness } from './liveness.ts';
import { FREE_ROWS, type NodeTable } from './node-table.ts';

const BEAT_EVERY_MS = 1_000;
/** Half of the time after which a machine counts as dead: if its last beat is older, it may have lost its leases. */
const FRESH_MS = 3_000;
export interface NodesParts {
  readonly id: string;
  readonly clock: Clock;
  readonly table: NodeTable;
  readonly times: Times;
  /** This many deliveries of a dead machine may be claimed now. */
  readonly onTakenOver?:
    | ((taken: { readonly nodeId: string; readonly deliveries: number }) => void)
    | undefined;
  /** Another machine stopped or died: this one has to look for its planned deliveries. */
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

  /** Whether commits are on the disk when they are answered, by the last beat. */
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
   * Whether this machine still owns what it leased at `leasedAtMs`, service time: not if others declared it dead after
   * that. While they still free its old leases, which takes milliseconds, a new one may be freed too.
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

  /** Stops beating; this machine stays in the table until what it still leases is taken over. */
  async leave(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#beating;
    // If the database cannot be reached, the others find out on their own.
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
      // Not awaited, so that it delays no beat.
      for (const beat of dead) void this.#tryTakeOver(beat);
    } catch {
      // The database notified its listeners; nothing is known about the others until it answers again.
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
    // Others declared this machine dead: everything that it leased is theirs.
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

  /** Never rejects: the rest is taken over once the counter has stood still again. */
  async #tryTakeOver(beat: Beat): Promise<void> {
    try {
      await this.#takeOver(beat);
    } catch {
      // The database notified its listeners.
    }
  }

  /** The epoch first, so that the dead machine gets nothing more if it is alive after all; its row last. */
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

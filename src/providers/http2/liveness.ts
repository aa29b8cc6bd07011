// Finds out whether the peer of a connection is still there. While requests wait, at most 500 ms without a byte
// lead to a PING, and another 500 ms of silence to the verdict: a half-dead connection is recognised within 1.5 s,
// inside one attempt's deadline, so that the next attempt goes over another. A peer that is merely slow answers
// the PING. An idle connection is probed every 15 s, so that the first push after a quiet hour does not find it dead.

import type { Clock, Timer } from '../../core/ports/clock.ts';

export interface LivenessOptions {
  readonly clock: Clock;
  /** 15 s unless a test says otherwise. */
  readonly idlePingMs?: number | undefined;
  /** How many bytes the peer has sent so far. */
  bytesRead(): number;
  /** How many requests wait for an answer. */
  waiting(): number;
  ping(): void;
  onDead(): void;
}

/** Between two checks while requests wait: the silence before a PING, and again before the verdict. */
const CHECK_MS = 500;
const DEFAULT_IDLE_PING_MS = 15_000;

export class Liveness {
  readonly #options: LivenessOptions;
  #timer: Timer | undefined;
  #idle = true;
  #checkIsDue = false;
  #stopped = false;
  #probing = false;
  #usedSinceCheck = false;
  #bytesAtCheck = 0;
  #bytesAtPing = 0;
  #bytesWhenUsed = -1;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#watchIdle();
  }

  /** Call when a request has been written. */
  used(): void {
    this.#usedSinceCheck = true;
    this.#bytesWhenUsed = this.#options.bytesRead();
    if (!this.#idle || this.#checkIsDue || this.#stopped) return;
    this.#idle = false;
    this.#timer?.cancel();
    this.#bytesAtCheck = this.#bytesWhenUsed;
    this.#schedule(CHECK_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#options.clock.after(delayMs, () => {
      // Timers run before the sockets are read: after a pause of this process the peer's bytes may still be unread, so
      // their absence proves nothing.
      this.#checkIsDue = true;
      setImmediate(() => this.#check());
    });
  }

  #check(): void {
    this.#checkIsDue = false;
    if (this.#stopped) return;
    const bytes = this.#options.bytesRead();
    if (this.#probing && bytes === this.#bytesAtPing) {
      this.#stopped = true;
      this.#options.onDead();
      return;
    }
    // Silence counts from the last request: earlier bytes do not show that the peer is there now.
    const isSilent = bytes === this.#bytesAtCheck || bytes === this.#bytesWhenUsed;
    const isToProbe = isSilent && (this.#idle || this.#options.waiting() > 0);
    this.#probing = isToProbe;
    this.#bytesAtCheck = bytes;
    this.#bytesAtPing = bytes;
    if (isToProbe) this.#options.ping();
    if (isToProbe || this.#usedSinceCheck || this.#options.waiting() > 0) {
      this.#idle = false;
      this.#usedSinceCheck = false;
      this.#schedule(CHECK_MS);
    } else {
      this.#watchIdle();
    }
  }

  #watchIdle(): void {
    this.#idle = true;
    this.#bytesAtCheck = this.#options.bytesRead();
    this.#schedule(this.#options.idlePingMs ?? DEFAULT_IDLE_PING_MS);
  }
}

// The work of one endpoint in rounds: never two at once, again if another was requested meanwhile, with pauses.

import type { Clock, Timer } from '../ports/clock.ts';
import { StoreUnavailableError } from '../ports/store.ts';

/** While the store or the registry of devices cannot be read. */
const STORE_PAUSE_MS = 5_000;
/** After a fault of our own, which may come again. */
const FAULT_PAUSE_MS = 60_000;

export interface RoundsParts {
  readonly clock: Clock;
  /** Resolves to true if there may be more to do. Rejects if the store cannot be asked. */
  readonly round: () => Promise<boolean>;
  readonly mayRun: () => boolean;
  /** Called when a round throws for another reason than a failing store. */
  readonly onFault: (cause: unknown) => void;
}

export class Rounds {
  readonly #parts: RoundsParts;
  #isRunning = false;
  #isAskedAgain = false;
  #isStopped = false;
  /** Set while it waits. */
  #pause: Timer | undefined;

  constructor(parts: RoundsParts) {
    this.#parts = parts;
  }

  get mayRun(): boolean {
    return !this.#isStopped && this.#parts.mayRun();
  }

  /** Starts a round if there may be work. Does nothing during a pause. */
  ask(): void {
    if (this.#pause === undefined) this.#start();
  }

  /** Ends a pause. */
  askNow(): void {
    this.#endPause();
    this.#start();
  }

  pause(delayMs: number): void {
    if (!this.mayRun) return;
    this.#endPause();
    this.#pause = this.#parts.clock.after(delayMs, () => this.askNow());
  }

  stop(): void {
    this.#isStopped = true;
    this.#endPause();
  }

  #endPause(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  #start(): void {
    this.#isAskedAgain = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
      if (this.#isAskedAgain && this.#pause === undefined && this.mayRun) this.#start();
    });
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    try {
      let goesOn = true;
      while (goesOn && this.mayRun) {
        this.#isAskedAgain = false;
        goesOn = (await this.#parts.round()) || (this.#isAskedAgain && this.#pause === undefined);
      }
    } catch (error) {
      // The store reports its own failure; this only asks it again.
      const isStore = error instanceof StoreUnavailableError;
      if (!isStore) this.#parts.onFault(error);
      if (this.#pause === undefined) this.pause(isStore ? STORE_PAUSE_MS : FAULT_PAUSE_MS);
    }
  }
}

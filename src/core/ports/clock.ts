// The port through which the service learns the time and waits. Nothing else in the service calls
// Date.now, performance.now or setTimeout, so that tests and the simulation control the time.

export interface Clock {
  /** The machine's wall clock in Unix milliseconds. It may jump: use it only for what leaves the process. */
  wallMs(): number;
  /**
   * Service time in Unix milliseconds: the wall clock as it was at start, advanced by monotonic time, and by the time
   * that the machine was suspended. It never goes back, and no change of the wall clock by less than 5 s moves it, so
   * windows, leases and lifetimes are measured with it, in memory and in rows.
   */
  nowMs(): number;
  /** Runs `task` once after `delayMs` (0 or more) of service time. */
  after(delayMs: number, task: () => void): Timer;
}

export interface Timer {
  /** Harmless when the task has run already. */
  cancel(): void;
}

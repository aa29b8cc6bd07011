// Who of the machines is alive, as one of them sees it. Each raises a counter every second; no clock of another machine
// and no clock of the database is believed. A machine is dead if its counter stood still in four successful reads in a row
// that span six seconds of our own clock. A read that failed starts the count again, so that a restart of PostgreSQL, in
// which nobody could raise a counter, makes nobody dead.

const MIN_READS = 4;
const MIN_SPAN_MS = 6_000;

export interface Beat {
  readonly id: string;
  readonly beat: number;
  readonly epoch: number;
}

interface Seen {
  readonly beat: Beat;
  readonly sinceMs: number;
  reads: number;
}

export class MachineLiveness {
  #seen = new Map<string, Seen>();

  /** All counters, as they were read at one moment. Returns those that belong to the dead. */
  read(beats: readonly Beat[], nowMs: number): readonly Beat[] {
    const seen = new Map<string, Seen>();
    for (const beat of beats) {
      const before = this.#seen.get(beat.id);
      const isSame = before?.beat.beat === beat.beat && before.beat.epoch === beat.epoch;
      const sinceMs = isSame ? before.sinceMs : nowMs;
      seen.set(beat.id, { beat, sinceMs, reads: (isSame ? before.reads : 0) + 1 });
    }
    this.#seen = seen;
    return [...seen.values()]
      .filter(({ reads, sinceMs }) => reads >= MIN_READS && nowMs - sinceMs >= MIN_SPAN_MS)
      .map(({ beat }) => beat);
  }

  /** Nothing is known of what happened meanwhile. */
  readFailed(): void {
    this.#seen.clear();
  }
}

// Which machines are alive, as one of them sees it. Each raises a counter every second; clocks of other machines and of
// the database are not trusted. A machine is dead if its counter stood still in four successful reads in a row that
// span six seconds of our own clock. A failed read starts the count again, so that no machine counts as dead after a
// restart of PostgreSQL, during which none could raise its counter.

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

  /** Takes all counters, read at one moment. Returns those of dead machines. */
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

  /** A read failed, so nothing is known about the time in between. */
  readFailed(): void {
    this.#seen.clear();
  }
}

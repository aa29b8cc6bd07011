// Whether receipts in general still come. If they fell by half, it is probably our own address that phones cannot reach,
// and then no phone is judged by its silence.

const KEPT = 200;
const WINDOW_MS = 3_600_000;
/** Fewer expected receipts say nothing. */
const ENOUGH = 5;

interface Judged {
  readonly atMs: number;
  readonly expected: number;
  readonly came: boolean;
}

export class Pulse {
  #judged: readonly Judged[] = [];

  /** A push whose time is over. `expected` is the share of the phone's earlier pushes that a receipt came of. */
  note(judged: Judged): void {
    // A phone that never sent one says nothing, not even by its first.
    if (judged.expected === 0) return;
    this.#judged = [...this.#judged, judged].slice(-KEPT);
  }

  hasFallen(nowMs: number): boolean {
    const recent = this.#judged.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    const expected = recent.reduce((sum, one) => sum + one.expected, 0);
    const came = recent.filter((one) => one.came).length;
    return expected >= ENOUGH && came < expected / 2;
  }
}

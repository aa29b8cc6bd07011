// Whether receipts in general still come. If they fell by half, phones probably cannot reach our own address, and then
// no phone is judged by its silence.

import { Recent } from '../tokens/recent.ts';

const KEPT = 200;
const WINDOW_MS = 3_600_000;
/** Fewer expected receipts than this prove nothing. */
const ENOUGH = 5;
/** This many phones count regardless of age: a small vendor's next push may be hours away. */
const LEAST = 2 * ENOUGH;

interface Judged {
  readonly atMs: number;
  readonly expected: number;
  readonly came: boolean;
}

export class Pulse {
  /** Only the newest push of each phone, so that one busy phone does not decide for all. */
  readonly #judged = new Recent<Judged>(KEPT);

  /** A push whose time is over. `expected` is the share of the phone's earlier pushes for which a receipt came. */
  note(tokenHash: string, judged: Judged): void {
    // A phone that never sent one proves nothing, not even by its first.
    if (judged.expected === 0) this.#judged.delete(tokenHash);
    else this.#judged.use(tokenHash, judged);
  }

  hasFallen(nowMs: number): boolean {
    const all = this.#judged.values();
    const isRecent = ({ atMs }: Judged, index: number) =>
      nowMs - atMs < WINDOW_MS || index >= all.length - LEAST;
    const recent = all.filter(isRecent);
    const expected = recent.reduce((sum, one) => sum + one.expected, 0);
    const came = recent.filter((one) => one.came).length;
    return expected >= ENOUGH && came < expected / 2;
  }
}

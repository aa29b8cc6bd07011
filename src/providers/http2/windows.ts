// How much DATA may go out (RFC 9113, section 5.2): a window for the connection and one for each stream, which
// the peer widens as it reads. What does not fit waits here, in order.

import { ERROR_CODE, Http2Error } from './frames.ts';

/** What every window begins with, in both directions (section 6.9.2). */
export const DEFAULT_WINDOW_BYTES = 65_535;
const MAX_WINDOW_BYTES = 2 ** 31 - 1;

/** A stream that sends, as far as its window is concerned. */
export interface Sender {
  readonly id: number;
  /** Below zero after the peer has shrunk the initial window. */
  window: number;
  /** What could not be written yet. */
  unsent: Buffer | undefined;
}

export type WriteData = (sender: Sender, bytes: Buffer, isLast: boolean) => void;

export class Windows {
  readonly #write: WriteData;
  readonly #waiting = new Set<Sender>();
  #connection = DEFAULT_WINDOW_BYTES;
  #initial = DEFAULT_WINDOW_BYTES;

  constructor(write: WriteData) {
    this.#write = write;
  }

  /** What a new stream begins with. */
  get initial(): number {
    return this.#initial;
  }

  /** Whether a new stream may write so much at once; if so, it counts as written. */
  take(sender: Sender, bytes: number): boolean {
    if (bytes === 0) return true;
    if (bytes > this.#connection || bytes > sender.window) return false;
    this.#connection -= bytes;
    sender.window -= bytes;
    return true;
  }

  /** Writes as much of `sender.unsent` as fits, and the rest when the peer allows it. */
  wait(sender: Sender): void {
    this.#waiting.add(sender);
    this.pump();
  }

  forget(sender: Sender): void {
    this.#waiting.delete(sender);
  }

  /** @throws Http2Error if the window would become larger than the protocol allows. */
  widenConnection(bytes: number): void {
    this.#connection = widened(this.#connection, bytes);
    this.pump();
  }

  /** @throws Http2Error as above. */
  widen(sender: Sender, bytes: number): void {
    sender.window = widened(sender.window, bytes);
    this.pump();
  }

  /**
   * The peer's initial window is another: it holds for the streams that are open, too (section 6.9.2). Writes
   * nothing: the peer may count on it only from our acknowledgement on, and `pump` follows that.
   * @throws Http2Error as above.
   */
  setInitial(bytes: number, open: Iterable<Sender>): void {
    if (bytes > MAX_WINDOW_BYTES) throw tooLarge();
    const difference = bytes - this.#initial;
    this.#initial = bytes;
    for (const sender of open) sender.window = widened(sender.window, difference);
  }

  /** Writes what fits of what waits. */
  pump(): void {
    for (const sender of this.#waiting) {
      if (this.#connection <= 0) return;
      const { unsent } = sender;
      if (unsent === undefined) {
        this.#waiting.delete(sender);
        continue;
      }
      const bytes = Math.min(unsent.length, this.#connection, sender.window);
      if (bytes <= 0) continue;
      this.#connection -= bytes;
      sender.window -= bytes;
      const isLast = bytes === unsent.length;
      sender.unsent = isLast ? undefined : unsent.subarray(bytes);
      if (isLast) this.#waiting.delete(sender);
      this.#write(sender, unsent.subarray(0, bytes), isLast);
    }
  }
}

function widened(window: number, bytes: number): number {
  if (window + bytes > MAX_WINDOW_BYTES) throw tooLarge();
  return window + bytes;
}

function tooLarge(): Http2Error {
  return new Http2Error(ERROR_CODE.flowControl, 'window too large');
}

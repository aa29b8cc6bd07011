// A lasting HTTP/2 client of one provider that outlives its connections. Requests wait in order for a free
// stream, and every request settles within its two bounds: the wait, and the time to the answer.

import type { Clock } from '../../core/ports/clock.ts';
import {
  type HttpRequest,
  PendingRequest,
  type RequestOptions,
  type RequestResult,
} from './pending-request.ts';
import { ConnectionPool, type PoolListener, type PoolOptions } from './pool.ts';
import type { ConnectFailure } from './transport-failures.ts';

/** The core bounds what it has in flight far below; this only keeps a mistake there from filling the memory. */
const MAX_WAITING = 10_000;

export class Http2Client implements PoolListener {
  readonly #clock: Clock;
  readonly #pool: ConnectionPool;
  readonly #waiting = new Set<PendingRequest>();
  #closeListeners: (() => void)[] = [];
  #isClosing = false;

  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#pool = new ConnectionPool(options, this);
  }

  /** Settles within `waitMs` plus `timeoutMs` (two turns of the event loop more) and never rejects. */
  request(request: HttpRequest, options: RequestOptions): Promise<RequestResult> {
    return new Promise((resolve) => {
      const pending = new PendingRequest(request, options, resolve);
      if (this.#isClosing) {
        pending.fail('closed');
        return;
      }
      if (this.#waiting.size === 0 && this.#pool.send(pending)) return;
      if (this.#waiting.size >= MAX_WAITING) {
        pending.fail('too_many_waiting');
        return;
      }
      pending.setTimer(this.#clock.after(options.waitMs, () => this.#onWaitOver(pending)));
      this.#waiting.add(pending);
      this.#pump();
    });
  }

  /** Connects ahead of the first request; resolves with the reason if that fails. */
  warm(): Promise<ConnectFailure | undefined> {
    return this.#isClosing ? Promise.resolve('closed') : this.#pool.warm();
  }

  /** The next requests go over new connections; those in flight finish on the old ones. */
  retire(): void {
    this.#pool.retire();
  }

  /** Refuses new requests; resolves when those accepted have settled and no connection is left. */
  close(): Promise<void> {
    this.#isClosing = true;
    return new Promise((resolve) => {
      this.#closeListeners.push(resolve);
      this.#finishClosing();
    });
  }

  waiting(): number {
    return this.#waiting.size;
  }

  onRoom(): void {
    if (this.#waiting.size > 0) this.#pump();
    if (this.#isClosing) this.#finishClosing();
  }

  /** All that wait fail at once, unprocessed: whether to try again is the core's decision. */
  onUnreachable(reason: ConnectFailure): void {
    for (const pending of this.#waiting) {
      this.#waiting.delete(pending);
      pending.fail(reason);
    }
    this.#finishClosing();
  }

  onGone(): void {
    this.#finishClosing();
  }

  #pump(): void {
    for (const pending of this.#waiting) {
      if (!this.#pool.send(pending)) {
        this.#pool.grow();
        return;
      }
      this.#waiting.delete(pending);
    }
  }

  /** A connection may have been opened while this process was busy, and timers run before sockets are read. */
  #onWaitOver(pending: PendingRequest): void {
    setImmediate(() => {
      if (!this.#waiting.delete(pending)) return;
      pending.fail('timeout_waiting');
      this.#finishClosing();
    });
  }

  #finishClosing(): void {
    if (!this.#isClosing || this.#waiting.size > 0) return;
    this.#pool.close();
    if (!this.#pool.isEmpty) return;
    const listeners = this.#closeListeners;
    this.#closeListeners = [];
    for (const listener of listeners) listener();
  }
}

// A lasting way to one provider that outlives its connections. Requests wait in order for a free stream, and
// every request settles by its deadline.

import type { Clock } from '../../core/ports/clock.ts';
import { Roster } from '../../core/roster.ts';
import { Exchange, type TransportRequest, type TransportResult } from './exchange.ts';
import type { ConnectFailure } from './failure.ts';
import { Pool, type PoolListener, type PoolOptions } from './pool.ts';

/** The core bounds its pool far below; this only keeps a mistake there from eating the memory. */
const MAX_WAITING = 10_000;
/**
 * The part of its time that a request may spend waiting. Written later, it would rather be cut off unanswered,
 * which leaves open whether it was taken and condemns a connection that was merely full.
 */
const LATEST_WRITE = 0.75;

export class Transport implements PoolListener {
  readonly #clock: Clock;
  readonly #pool: Pool;
  readonly #waiting = new Roster<Exchange>();
  #closeListeners: (() => void)[] = [];
  #closing = false;

  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#pool = new Pool(options, this);
  }

  /** Settles within `timeoutMs` (a turn of the event loop more, if that is busy) and never rejects. */
  request(request: TransportRequest, timeoutMs: number): Promise<TransportResult> {
    return new Promise((resolve) => {
      const exchange = new Exchange(request, resolve);
      if (this.#closing) {
        exchange.fail('closed');
        return;
      }
      exchange.deadline = this.#clock.after(timeoutMs, () => this.#expire(exchange));
      if (this.#waiting.size === 0 && this.#pool.send(exchange)) return;
      if (this.#waiting.size >= MAX_WAITING) {
        exchange.fail('too_many_waiting');
        return;
      }
      exchange.writeUntilMs = this.#clock.nowMs() + timeoutMs * LATEST_WRITE;
      exchange.place = this.#waiting.add(exchange);
      this.#pump();
    });
  }

  /** Connects ahead of the first request; resolves with the reason if that fails. */
  warm(): Promise<ConnectFailure | undefined> {
    return this.#closing ? Promise.resolve('closed') : this.#pool.warm();
  }

  /** The next requests go over fresh connections; those in flight finish on the old ones. */
  retire(): void {
    this.#pool.retire();
  }

  /** Refuses new requests; resolves when those accepted have settled and no connection is left. */
  close(): Promise<void> {
    this.#closing = true;
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
    if (this.#closing) this.#finishClosing();
  }

  /** All that wait fail at once, unprocessed: whether to try again is the core's decision. */
  onUnreachable(reason: ConnectFailure): void {
    for (const exchange of this.#waiting) {
      this.#stopWaiting(exchange);
      exchange.fail(reason);
    }
    this.#finishClosing();
  }

  onGone(): void {
    this.#finishClosing();
  }

  #pump(): void {
    const nowMs = this.#clock.nowMs();
    for (const exchange of this.#waiting) {
      if (nowMs > exchange.writeUntilMs) {
        exchange.fail('timeout_waiting');
      } else if (!this.#pool.send(exchange)) {
        this.#pool.grow();
        return;
      }
      this.#stopWaiting(exchange);
    }
  }

  #expire(exchange: Exchange): void {
    // The answer may have arrived while this process was busy, and timers run before sockets are read.
    setImmediate(() => {
      if (exchange.settled) return;
      if (this.#stopWaiting(exchange)) {
        exchange.fail('timeout_waiting');
        this.#finishClosing();
      } else {
        exchange.carrier?.expire(exchange);
      }
    });
  }

  /** False if it did not wait. */
  #stopWaiting(exchange: Exchange): boolean {
    const { place } = exchange;
    exchange.place = undefined;
    return place !== undefined && this.#waiting.remove(place);
  }

  #finishClosing(): void {
    if (!this.#closing || this.#waiting.size > 0) return;
    this.#pool.close();
    if (!this.#pool.isEmpty) return;
    const listeners = this.#closeListeners;
    this.#closeListeners = [];
    for (const listener of listeners) listener();
  }
}

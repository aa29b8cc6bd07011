// The connections of one client: opens the first, one more when all are full, up to a bound, and replaces those
// that end. Google allows 100 streams on a connection, so a thousand pushes in flight need ten.

import type { Timer } from '../../core/ports/clock.ts';
import type { PendingRequest } from './client.ts';
import {
  type ConnectAttempt,
  type ConnectOptions,
  connect,
  type OpenConnection,
} from './connect.ts';
import { Session, type SessionEnd, type SessionListener, type SessionOptions } from './session.ts';
import type { ConnectFailure } from './transport-failures.ts';

export interface PoolOptions extends ConnectOptions, SessionOptions {
  readonly maxConnections: number;
  /** Whether to reconnect without being asked, so that the next push finds a connection. */
  readonly keepWarm: boolean;
  readonly onEvent?: ((event: PoolEvent) => void) | undefined;
}

export type PoolEvent =
  | { readonly kind: 'connected' }
  | { readonly kind: 'connect_failed'; readonly reason: ConnectFailure }
  | { readonly kind: 'connection_ended'; readonly why: SessionEnd; readonly carried: number };

export interface PoolListener {
  /** How many requests wait for a stream. */
  waiting(): number;
  /** A stream has become free. */
  onRoom(): void;
  /** No connection is open, and none can be opened. */
  onUnreachable(reason: ConnectFailure): void;
  /** A connection has closed completely. */
  onGone(): void;
}

/** A connection that ends sooner than this without having carried a request is replaced only when a request comes. */
const WORTH_REPLACING_AFTER_MS = 10_000;
/**
 * Between two dials when the first failed while others work, or led to a connection that served nothing:
 * Apple takes frequent reconnecting for an attack.
 */
const DIAL_PAUSE_MS = 1_000;

type ConnectListener = (failure: ConnectFailure | undefined) => void;

export class ConnectionPool implements SessionListener {
  readonly #options: PoolOptions;
  readonly #listener: PoolListener;
  /** Those that take streams, oldest first. */
  #open: readonly Session[] = [];
  /** All connections that have not closed: open ones, and those that only finish their streams. */
  readonly #sessions = new Set<Session>();
  #attempt: ConnectAttempt | undefined;
  #connectListeners: ConnectListener[] = [];
  #dialFromMs = Number.NEGATIVE_INFINITY;
  #pause: Timer | undefined;
  #isClosed = false;

  constructor(options: PoolOptions, listener: PoolListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** All connections have closed. */
  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /** Streams that are open, on all connections. */
  get streams(): number {
    return [...this.#sessions].reduce((sum, session) => sum + session.load, 0);
  }

  /**
   * Writes the request on the connection with the fewest streams, the oldest among equals: single pushes stay on one
   * connection, and a silent connection gets no more than its share. False if none has room.
   */
  send(pending: PendingRequest): boolean {
    for (;;) {
      const session = this.#leastLoaded();
      if (session === undefined) return false;
      // A connection that is closing reports it, which removes it from `#open`.
      if (session.send(pending)) return true;
    }
  }

  /**
   * Requests wait and every connection is full: opens one more. A connection that allows a single stream is at its
   * start, not full: APNs raises the limit only after the first valid push.
   */
  grow(): void {
    if (this.#open.length >= this.#options.maxConnections) return;
    if (this.#open.some(({ isGated }) => isGated)) return;
    const pauseMs = this.#dialFromMs - this.#options.clock.nowMs();
    if (pauseMs <= 0) {
      this.#dial();
      return;
    }
    this.#pause ??= this.#options.clock.after(pauseMs, () => {
      this.#pause = undefined;
      if (this.#listener.waiting() > 0) this.grow();
    });
  }

  /** Connects ahead of the first request; resolves with the reason if that fails. */
  warm(): Promise<ConnectFailure | undefined> {
    if (this.#open.length > 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#connectListeners.push(resolve);
      this.#dial();
    });
  }

  /** The next requests go over new connections; those in flight finish on the old ones. */
  retire(): void {
    for (const session of this.#open) session.drain('retired');
  }

  /** Gives up dialling and every connection; `onGone` follows for each. No request may be waiting. */
  close(): void {
    this.#isClosed = true;
    this.#pause?.cancel();
    this.#attempt?.abort();
    for (const session of this.#sessions) session.close();
  }

  onRoom(): void {
    this.#listener.onRoom();
  }

  onEnd(session: Session, why: SessionEnd): void {
    this.#options.onEvent?.({ kind: 'connection_ended', why, carried: session.carried });
    this.#open = this.#open.filter((other) => other !== session);
    if (!session.hasServed) this.#dialFromMs = session.openedAtMs + DIAL_PAUSE_MS;
    if (this.#listener.waiting() > 0) this.grow();
    else if (this.#open.length === 0 && this.#isWorthReplacing(session)) this.#dial();
  }

  onGone(session: Session): void {
    this.#sessions.delete(session);
    this.#listener.onGone();
  }

  #leastLoaded(): Session | undefined {
    let best: Session | undefined;
    for (const session of this.#open) {
      if (session.hasRoom && (best === undefined || session.load < best.load)) best = session;
    }
    return best;
  }

  #isWorthReplacing(session: Session): boolean {
    if (!this.#options.keepWarm) return false;
    const ageMs = this.#options.clock.nowMs() - session.openedAtMs;
    return session.carried > 0 || ageMs >= WORTH_REPLACING_AFTER_MS;
  }

  #dial(): void {
    if (this.#attempt !== undefined || this.#isClosed) return;
    this.#attempt = connect(this.#options, {
      opened: (connection) => this.#onOpened(connection),
      failed: (reason) => this.#onConnectFailed(reason),
    });
  }

  #onOpened(connection: OpenConnection): void {
    this.#attempt = undefined;
    const session = new Session(connection, this.#options, this);
    this.#sessions.add(session);
    this.#open = [...this.#open, session];
    this.#options.onEvent?.({ kind: 'connected' });
    this.#tellConnected(undefined);
    this.#listener.onRoom();
  }

  #onConnectFailed(reason: ConnectFailure): void {
    this.#attempt = undefined;
    this.#options.onEvent?.({ kind: 'connect_failed', reason });
    if (this.#open.length === 0) this.#listener.onUnreachable(reason);
    else this.#dialFromMs = this.#options.clock.nowMs() + DIAL_PAUSE_MS;
    this.#tellConnected(reason);
  }

  #tellConnected(failure: ConnectFailure | undefined): void {
    const listeners = this.#connectListeners;
    this.#connectListeners = [];
    for (const listener of listeners) listener(failure);
  }
}

// The connections of one transport: opens the first, more when all are full, and lets go what is no longer
// needed. Google allows 100 streams on a connection, so that a burst of a thousand slow answers needs ten.
//
// No connection: dial at once, for whoever waits. All full, and requests wait: dial one more, one at a time,
// up to a bound. A connection ends: the others go on, and it is replaced if it was the last or is missed.

import type { SecureContext } from 'node:tls';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import { type ConnectAttempt, connect, type Sockets } from './connect.ts';
import type { Exchange } from './exchange.ts';
import type { ConnectFailure } from './failure.ts';
import { Session, type SessionEnd, type SessionListener } from './session.ts';

export interface PoolOptions {
  /** `https://host[:port]`. */
  readonly origin: URL;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities: SecureContext | undefined;
  readonly clock: Clock;
  /** How many requests there are at once at most: no connection is opened that these could not fill. */
  readonly maxInFlight: number;
  readonly maxConnections: number;
  /** Whether to reconnect without being asked, so that the next push finds a connection. */
  readonly keepWarm: boolean;
  readonly onEvent?: (event: TransportEvent) => void;
  readonly idlePingMs?: number;
}

export type TransportEvent =
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
  /** Nothing is left of a connection. */
  onGone(): void;
}

/** Shorter than an attempt's deadline, so that the next attempt dials anew instead of waiting for a lost SYN. */
const CONNECT_TIMEOUT_MS = 1_500;
/** A connection that ends sooner without having carried anything is not worth replacing unasked. */
const WORTH_REPLACING_AFTER_MS = 10_000;
/** Between a failed dial and the next, while other connections work. */
const GROWTH_PAUSE_MS = 1_000;
/** How often to look whether fewer connections would have done since the last look. */
const SURPLUS_CHECK_MS = 60_000;

type ConnectListener = (failure: ConnectFailure | undefined) => void;

export class Pool implements SessionListener {
  readonly #options: PoolOptions;
  readonly #listener: PoolListener;
  /** Those that take streams, oldest first. */
  #open: readonly Session[] = [];
  /** Those of which something is left: the open ones, and those that only finish what they carry. */
  readonly #sessions = new Set<Session>();
  #attempt: ConnectAttempt | undefined;
  #connectListeners: ConnectListener[] = [];
  #growFromMs = Number.NEGATIVE_INFINITY;
  #surplusTimer: Timer | undefined;
  #closed = false;

  constructor(options: PoolOptions, listener: PoolListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Nothing is left of any connection. */
  get isEmpty(): boolean {
    return this.#sessions.size === 0;
  }

  /**
   * Writes the request on the connection with the fewest streams, the oldest of equals: thus a single one is
   * used as long as one push goes at a time, and one that has fallen silent gets no more than its share.
   * False if none has room.
   */
  send(exchange: Exchange): boolean {
    for (;;) {
      const session = this.#leastLoaded();
      if (session === undefined) return false;
      // One that turns out to be closing leaves `#open` by saying so.
      if (session.send(exchange)) return true;
    }
  }

  /** Requests wait and none has room: opens a connection, unless that cannot help. */
  grow(): void {
    if (this.#open.length === 0 || this.#isOneMoreOfUse()) this.#dial();
  }

  /** Connects ahead of the first request; resolves with the reason if that fails. */
  warm(): Promise<ConnectFailure | undefined> {
    if (this.#open.length > 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#connectListeners.push(resolve);
      this.#dial();
    });
  }

  /** The next requests go over fresh connections; those in flight finish on the old ones. */
  retire(): void {
    for (const session of this.#open) session.drain('retired');
  }

  /** Gives up dialling and every connection; `onGone` follows for each. Nothing may wait any more. */
  close(): void {
    this.#closed = true;
    this.#surplusTimer?.cancel();
    this.#attempt?.abort();
    this.retire();
  }

  onRoom(): void {
    this.#listener.onRoom();
  }

  onEnd(session: Session, why: SessionEnd): void {
    this.#options.onEvent?.({ kind: 'connection_ended', why, carried: session.carried });
    this.#open = this.#open.filter((other) => other !== session);
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

  /**
   * Whether what is open cannot take all that the service may have in flight. A connection that has yet to
   * say how many streams it takes counts as taking all: APNs says so only after the first valid push.
   */
  #isOneMoreOfUse(): boolean {
    const { clock, maxConnections, maxInFlight } = this.#options;
    if (this.#open.length >= maxConnections || clock.nowMs() < this.#growFromMs) return false;
    let capacity = 0;
    for (const session of this.#open) {
      if (session.isGated) return false;
      capacity += session.limit;
    }
    return capacity < maxInFlight;
  }

  #isWorthReplacing(session: Session): boolean {
    if (!this.#options.keepWarm) return false;
    const ageMs = this.#options.clock.nowMs() - session.openedAtMs;
    return session.carried > 0 || ageMs >= WORTH_REPLACING_AFTER_MS;
  }

  #dial(): void {
    if (this.#attempt !== undefined || this.#closed) return;
    this.#attempt = connect(
      { ...this.#options, timeoutMs: CONNECT_TIMEOUT_MS },
      {
        opened: (sockets) => this.#onOpened(sockets),
        failed: (reason) => this.#onConnectFailed(reason),
      },
    );
  }

  #onOpened(sockets: Sockets): void {
    this.#attempt = undefined;
    const session = new Session(sockets, this.#options, this);
    this.#sessions.add(session);
    this.#open = [...this.#open, session];
    if (this.#open.length === 2) this.#watchSurplus();
    this.#options.onEvent?.({ kind: 'connected' });
    this.#tellConnected(undefined);
    this.#listener.onRoom();
  }

  #onConnectFailed(reason: ConnectFailure): void {
    this.#attempt = undefined;
    this.#growFromMs = this.#options.clock.nowMs() + GROWTH_PAUSE_MS;
    this.#options.onEvent?.({ kind: 'connect_failed', reason });
    if (this.#open.length === 0) this.#listener.onUnreachable(reason);
    this.#tellConnected(reason);
  }

  #tellConnected(failure: ConnectFailure | undefined): void {
    const listeners = this.#connectListeners;
    this.#connectListeners = [];
    for (const listener of listeners) listener(failure);
  }

  #watchSurplus(): void {
    this.#surplusTimer?.cancel();
    this.#surplusTimer = this.#options.clock.after(SURPLUS_CHECK_MS, () => this.#dropSurplus());
  }

  /** Each one's greatest load is counted as if they had coincided, so that rather one too many is kept. */
  #dropSurplus(): void {
    const used = this.#open.reduce((sum, session) => sum + session.takePeakLoad(), 0);
    const perConnection = Math.max(1, ...this.#open.map(({ limit }) => limit));
    const needed = Math.max(1, Math.ceil(used / perConnection));
    for (const session of this.#open.slice(needed)) session.drain('surplus');
    if (this.#open.length > 1) this.#watchSurplus();
  }
}

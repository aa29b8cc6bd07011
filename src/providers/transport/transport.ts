// A persistent HTTP/2 connection to one provider that outlives its TCP connections. Requests wait in order
// for a free stream; a connection that ends is replaced at once; every request settles by its deadline.

import type { SecureContext } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { type ConnectAttempt, type Connection, connect } from './connect.ts';
import { Exchange, type TransportRequest, type TransportResult } from './exchange.ts';
import type { ConnectFailure } from './failure.ts';
import { Session, type SessionEnd, type SessionListener } from './session.ts';

export interface TransportOptions {
  /** `https://host[:port]`. */
  readonly origin: URL;
  /** Made by `trustAlso`; `undefined` is Node's default. */
  readonly authorities: SecureContext | undefined;
  readonly clock: Clock;
  /** Bound on streams at once, whatever the peer allows. */
  readonly maxConcurrentStreams: number;
  /** Whether to reconnect without being asked, so that the next push finds a connection. */
  readonly keepWarm: boolean;
  readonly onEvent?: (event: TransportEvent) => void;
  readonly idlePingMs?: number;
}

export type TransportEvent =
  | { readonly kind: 'connected' }
  | { readonly kind: 'connect_failed'; readonly reason: ConnectFailure }
  | { readonly kind: 'connection_ended'; readonly why: SessionEnd; readonly carried: number };

/** Shorter than an attempt's deadline, so that the next attempt dials anew instead of waiting for a lost SYN. */
const CONNECT_TIMEOUT_MS = 1_500;
/** The core bounds its pool far below; this only keeps a mistake there from eating the memory. */
const MAX_WAITING = 10_000;
/** A connection that ends sooner without having carried anything is not worth replacing unasked. */
const WORTH_REPLACING_AFTER_MS = 10_000;

type ConnectListener = (failure: ConnectFailure | undefined) => void;

export class Transport implements SessionListener {
  readonly #options: TransportOptions;
  /** In order of arrival; a Set because a deadline removes from the middle. */
  readonly #waiting = new Set<Exchange>();
  readonly #sessions = new Set<Session>();
  #current: Session | undefined;
  #attempt: ConnectAttempt | undefined;
  #connectListeners: ConnectListener[] = [];
  #closeListeners: (() => void)[] = [];
  #closing = false;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Settles within `timeoutMs` (a turn of the event loop more, if that is busy) and never rejects. */
  request(request: TransportRequest, timeoutMs: number): Promise<TransportResult> {
    return new Promise((resolve) => {
      const exchange = new Exchange(request, resolve);
      if (this.#closing) {
        exchange.fail('closed');
        return;
      }
      exchange.deadline = this.#options.clock.after(timeoutMs, () => this.#expire(exchange));
      const session = this.#current;
      if (session?.hasRoom && this.#waiting.size === 0 && session.send(exchange)) return;
      if (this.#waiting.size >= MAX_WAITING) {
        exchange.fail('too_many_waiting');
        return;
      }
      this.#waiting.add(exchange);
      this.#pump();
    });
  }

  /** Connects ahead of the first request; resolves with the reason if that fails. */
  warm(): Promise<ConnectFailure | undefined> {
    if (this.#closing) return Promise.resolve('closed');
    if (this.#current !== undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#connectListeners.push(resolve);
      this.#connect();
    });
  }

  /** The next requests go over a fresh connection; those in flight finish on the old one. */
  retire(): void {
    this.#current?.drain('retired');
  }

  /** Refuses new requests; resolves when those accepted have settled and no connection is left. */
  close(): Promise<void> {
    this.#closing = true;
    return new Promise((resolve) => {
      this.#closeListeners.push(resolve);
      this.#finishClosing();
    });
  }

  onRoom(): void {
    this.#pump();
    this.#finishClosing();
  }

  onEnd(session: Session, why: SessionEnd): void {
    this.#options.onEvent?.({ kind: 'connection_ended', why, carried: session.carried });
    if (this.#current !== session) return;
    this.#current = undefined;
    if (this.#waiting.size > 0 || this.#worthReplacing(session)) this.#connect();
  }

  onGone(session: Session): void {
    this.#sessions.delete(session);
    this.#finishClosing();
  }

  #worthReplacing(session: Session): boolean {
    if (!this.#options.keepWarm || this.#closing) return false;
    const ageMs = this.#options.clock.nowMs() - session.openedAtMs;
    return session.carried > 0 || ageMs >= WORTH_REPLACING_AFTER_MS;
  }

  #pump(): void {
    for (const exchange of this.#waiting) {
      const session = this.#current;
      if (session === undefined) {
        this.#connect();
        return;
      }
      if (!session.hasRoom) return;
      if (session.send(exchange)) this.#waiting.delete(exchange);
    }
  }

  #connect(): void {
    if (this.#attempt !== undefined || this.#current !== undefined) return;
    this.#attempt = connect(
      { ...this.#options, timeoutMs: CONNECT_TIMEOUT_MS },
      {
        opened: (connection) => this.#onOpened(connection),
        failed: (reason) => this.#onConnectFailed(reason),
      },
    );
  }

  #onOpened(connection: Connection): void {
    this.#attempt = undefined;
    const session = new Session(connection, this.#options, this);
    this.#sessions.add(session);
    this.#current = session;
    this.#options.onEvent?.({ kind: 'connected' });
    this.#tellConnected(undefined);
    this.#pump();
    this.#finishClosing();
  }

  /** All that wait fail at once, unprocessed: whether to try again is the core's decision. */
  #onConnectFailed(reason: ConnectFailure): void {
    this.#attempt = undefined;
    this.#options.onEvent?.({ kind: 'connect_failed', reason });
    const failed = [...this.#waiting];
    this.#waiting.clear();
    for (const exchange of failed) exchange.fail(reason);
    this.#tellConnected(reason);
    this.#finishClosing();
  }

  #tellConnected(failure: ConnectFailure | undefined): void {
    const listeners = this.#connectListeners;
    this.#connectListeners = [];
    for (const listener of listeners) listener(failure);
  }

  #expire(exchange: Exchange): void {
    // The answer may have arrived while this process was busy, and timers run before sockets are read.
    setImmediate(() => {
      if (exchange.settled) return;
      if (this.#waiting.delete(exchange)) {
        exchange.fail('timeout_waiting');
        this.#finishClosing();
      } else {
        for (const session of this.#sessions) session.expire(exchange);
      }
    });
  }

  #finishClosing(): void {
    if (!this.#closing || this.#waiting.size > 0) return;
    this.#attempt?.abort();
    this.#current?.drain('retired');
    if (this.#sessions.size > 0) return;
    const listeners = this.#closeListeners;
    this.#closeListeners = [];
    for (const listener of listeners) listener();
  }
}

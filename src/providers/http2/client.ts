// A lasting HTTP/2 client of one provider that outlives its connections. Requests wait in order for a free stream, and
// each settles within its two bounds: the wait, and the time to the answer.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { Clock, Timer } from '../../core/ports/clock.ts';
import { ConnectionPool, type PoolListener, type PoolOptions } from './pool.ts';
import type { ConnectFailure, FailureReason } from './transport-failures.ts';

export interface HttpRequest {
  /** Headers of a POST, with `:path`; no unchecked value from outside may be in them. */
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

export interface HttpResponse {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Up to 64 KiB; the rest is cut off. */
  readonly body: string;
}

export type RequestResult =
  | ({ readonly kind: 'response' } & HttpResponse)
  | { readonly kind: 'failure'; readonly reason: FailureReason };

export interface RequestOptions {
  /** How long it may wait for a connection and a free stream. */
  readonly waitMs: number;
  /** How long the peer has for its answer, from the moment the request is written. */
  readonly timeoutMs: number;
  /** An answer that comes after the deadline, on a connection that works. Called at most once. */
  readonly onLate?: ((response: HttpResponse) => void) | undefined;
}

/** The core's own bound is far lower; this one only keeps a bug there from filling the memory. */
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

  /** Streams that are open. */
  get streams(): number {
    return this.#pool.streams;
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

  /** All waiting requests fail at once, unprocessed; the core decides whether to try again. */
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

/** Providers answer in a few hundred bytes; an HTML error page of a proxy may have a few thousand. */
const MAX_BODY_BYTES = 65_536;

/** One request on its way: it waits, is written, settles exactly once, and may get a late answer after that. */
export class PendingRequest {
  readonly request: HttpRequest;
  readonly timeoutMs: number;
  /** What the socket had received when the request was written; distinguishes a silent peer from a slow one. */
  bytesReadWhenWritten = 0;
  readonly #onLate: RequestOptions['onLate'];
  #resolve: ((result: RequestResult) => void) | undefined;
  #isListening = false;
  #timer: Timer | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #receivedBytes = 0;

  constructor(
    request: HttpRequest,
    { timeoutMs, onLate }: RequestOptions,
    resolve: (result: RequestResult) => void,
  ) {
    this.request = request;
    this.timeoutMs = timeoutMs;
    this.#onLate = onLate;
    this.#resolve = resolve;
  }

  get isSettled(): boolean {
    return this.#resolve === undefined;
  }

  /** Replaces the earlier timer: waiting, being answered and listening for a late answer have one each. */
  setTimer(timer: Timer | undefined): void {
    this.#timer?.cancel();
    this.#timer = timer;
  }

  receiveHeaders(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  /** False once the bound is reached: the rest is not worth reading. */
  receiveBody(chunk: Buffer): boolean {
    const room = MAX_BODY_BYTES - this.#receivedBytes;
    this.#receivedBytes += chunk.length;
    this.#chunks.push(chunk.subarray(0, Math.max(room, 0)));
    return this.#receivedBytes < MAX_BODY_BYTES;
  }

  /** The response is complete, or the part of it that counts is. */
  complete(): void {
    this.setTimer(undefined);
    const response = {
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks).toString('utf8'),
    };
    const wasListening = this.#isListening;
    this.#isListening = false;
    if (wasListening) this.#onLate?.(response);
    else this.#settle({ kind: 'response', ...response });
  }

  /**
   * The response will not be completed. A 200 is enough; any other status without its body
   * would be guessing. Nothing more is reported of it.
   */
  fail(reason: FailureReason): void {
    if (this.#status === 200 && !this.isSettled) {
      this.complete();
      return;
    }
    this.setTimer(undefined);
    this.#isListening = false;
    this.#settle({ kind: 'failure', reason });
  }

  /** The deadline has passed on a connection that works. True if a late answer is still of interest. */
  expire(): boolean {
    this.#isListening = this.#onLate !== undefined && this.#status !== 200;
    if (!this.#isListening) {
      this.fail('timeout');
      return false;
    }
    this.setTimer(undefined);
    this.#settle({ kind: 'failure', reason: 'timeout' });
    return true;
  }

  #settle(result: RequestResult): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(result);
  }
}

// One request on its way: it waits, is written, settles exactly once, and may hear a late answer after that.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import type { Timer } from '../../core/ports/clock.ts';
import type { FailureReason } from './transport-failures.ts';

export interface HttpRequest {
  /** Of a POST, with `:path`; nothing in it may come unchecked from outside. */
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

/** Providers answer in a few hundred bytes; an HTML error page of a proxy may have some thousand. */
const MAX_BODY_BYTES = 65_536;

export class PendingRequest {
  readonly request: HttpRequest;
  readonly timeoutMs: number;
  /** What the socket had received when the request was written; tells a silent peer from a slow one. */
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

  /** Replaces the timer before: there is one for each of waiting, being answered, and listening. */
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

  /** The response is whole, or as much of it as counts. */
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
   * The response will not be completed. A 200 already tells everything that matters; any other status
   * without its body would be guessing. Nothing more is heard of it.
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

// One request and its answer on the way through the transport. Settles exactly once.

import type { Timer } from '../../core/ports/clock.ts';
import type { Place } from '../../core/roster.ts';
import type { Asker, Stream, StreamEnd } from '../http2/connection.ts';
import type { RequestHeaders } from '../http2/hpack-encoder.ts';
import type { FailureReason } from './failure.ts';

export interface TransportRequest {
  /** Of a POST, with `:path` first; nothing in it may come unchecked from outside. */
  readonly headers: RequestHeaders;
  readonly body: string;
}

/** By name in lower case. */
export type AnswerHeaders = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  /** Up to 64 KiB; what exceeds them is cut off. */
  readonly body: string;
}

export type TransportResult =
  | ({ readonly kind: 'answer' } & Answer)
  | { readonly kind: 'failure'; readonly reason: FailureReason };

/** Providers answer in a few hundred bytes; an HTML error page of a proxy may have some thousand. */
const MAX_ANSWER_BYTES = 65_536;

/** A connection with the exchange in flight. */
export interface Carrier {
  /** What is to come is not worth reading. */
  cutShort(exchange: Exchange): void;
  streamEnded(exchange: Exchange, why: StreamEnd): void;
  /** The deadline is over: nothing of it may reach the peer any more. */
  expire(exchange: Exchange): void;
}

export class Exchange implements Asker {
  readonly request: TransportRequest;
  /** What the socket had received when the request was written; tells a silent peer from a slow one. */
  bytesReadAtStart = 0;
  /** Among those that wait for a stream. */
  place: Place<Exchange> | undefined;
  /** The connection that carries it, until its stream has ended. */
  carrier: Carrier | undefined;
  /** Set by the carrier. */
  stream: Stream | undefined;
  /** Until when a request that has to wait is still worth writing. */
  writeUntilMs = Number.POSITIVE_INFINITY;
  #resolve: ((result: TransportResult) => void) | undefined;
  #timer: Timer | undefined;
  #status = 0;
  #headers: AnswerHeaders = {};
  #chunks: Buffer[] | undefined;
  #receivedBytes = 0;

  constructor(request: TransportRequest, resolve: (result: TransportResult) => void) {
    this.request = request;
    this.#resolve = resolve;
  }

  get settled(): boolean {
    return this.#resolve === undefined;
  }

  /** Set right after construction; cancelled when the exchange settles. */
  set deadline(timer: Timer) {
    this.#timer = timer;
  }

  onHeaders(status: number, headers: AnswerHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onBody(chunk: Buffer): void {
    const room = MAX_ANSWER_BYTES - this.#receivedBytes;
    this.#receivedBytes += chunk.length;
    this.#chunks ??= [];
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, Math.max(room, 0)) : chunk);
    if (this.#receivedBytes >= MAX_ANSWER_BYTES) this.carrier?.cutShort(this);
  }

  onEnd(why: StreamEnd): void {
    this.carrier?.streamEnded(this, why);
  }

  /** The answer is complete. */
  answer(): void {
    this.#settle({
      kind: 'answer',
      status: this.#status,
      headers: this.#headers,
      body: this.#chunks === undefined ? '' : Buffer.concat(this.#chunks).toString('utf8'),
    });
  }

  /**
   * The answer will not be completed. A 200 already tells everything that matters; any other status
   * without its body would be guessing.
   */
  fail(reason: FailureReason): void {
    if (this.#status === 200) this.answer();
    else this.#settle({ kind: 'failure', reason });
  }

  #settle(result: TransportResult): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#timer?.cancel();
    resolve(result);
  }
}

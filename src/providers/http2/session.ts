// One HTTP/2 connection in use: opens streams within the peer's limit, ends each wait at its deadline, and tells the
// pool when it takes no more.
//
// connecting (connect.ts) -> open -> draining (GOAWAY, a deadline passed, retired, no streams) -> gone
//                                 -> gone (reset by us or by the peer)

import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/ports/clock.ts';
import type { PendingRequest } from './client.ts';
import type { OpenConnection } from './connect.ts';
import { Liveness } from './liveness.ts';
import type { FailureReason } from './transport-failures.ts';

export type SessionEnd =
  | 'goaway'
  | 'retired'
  | 'no_streams'
  | 'timeout'
  | 'connection_dead'
  | 'connection_lost';

export interface SessionListener {
  /** A stream has become free, or the peer allows more. */
  onRoom(): void;
  /** It takes no more streams; called once. Streams in flight continue unless the connection is lost. */
  onEnd(session: Session, why: SessionEnd): void;
  /** It has closed completely. */
  onGone(session: Session): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  /** Our own bound on streams, even if the peer allows more. */
  readonly maxInFlight: number;
  readonly idlePingMs?: number | undefined;
}

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
/** Stream ids of HTTP/2 end at 2^31; a busy service would reach them in days. */
const MAX_STREAMS = 2 ** 29;
/** How long an answer is listened for after its deadline. */
const LATE_MS = 10_000;

export class Session {
  readonly openedAtMs: number;
  readonly #clock: Clock;
  readonly #http2: ClientHttp2Session;
  readonly #tcp: Socket;
  readonly #listener: SessionListener;
  readonly #liveness: Liveness;
  readonly #ownLimit: number;
  readonly #streams = new Map<PendingRequest, ClientHttp2Stream>();
  #limit = 1;
  #carried = 0;
  #hasServed = false;
  #ended: SessionEnd | undefined;
  #isClosing = false;
  #lastStreamId = Number.POSITIVE_INFINITY;

  constructor({ http2, tcp }: OpenConnection, options: SessionOptions, listener: SessionListener) {
    this.openedAtMs = options.clock.nowMs();
    this.#clock = options.clock;
    this.#http2 = http2;
    this.#tcp = tcp;
    this.#listener = listener;
    this.#ownLimit = options.maxInFlight;
    this.#liveness = new Liveness({
      clock: options.clock,
      idlePingMs: options.idlePingMs,
      bytesRead: () => tcp.bytesRead,
      waiting: () => this.#streams.size,
      ping: () => {
        if (!http2.destroyed) http2.ping(() => undefined);
      },
      onDead: () => this.#reset(),
    });
    http2.on('remoteSettings', ({ maxConcurrentStreams }) =>
      this.#applyLimit(maxConcurrentStreams),
    );
    http2.on('goaway', (_code, lastStreamId) => this.#onGoaway(lastStreamId));
    // The streams report what went wrong; an unhandled error would end the process.
    http2.on('error', () => undefined);
    http2.on('close', () => this.#onClose());
  }

  /** How many requests it has carried. */
  get carried(): number {
    return this.#carried;
  }

  /** Whether the peer took a request: answered it, or covered it by its GOAWAY. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** Whether the peer still allows only a first stream. */
  get isGated(): boolean {
    return this.#limit <= 1;
  }

  /** Streams that are open. */
  get load(): number {
    return this.#streams.size;
  }

  get hasRoom(): boolean {
    return this.#ended === undefined && this.#streams.size < this.#limit;
  }

  /** Writes the request; false if the connection is closing and nothing was written. */
  send(pending: PendingRequest): boolean {
    if (this.#http2.closed || this.#http2.destroyed) {
      this.#end('connection_lost');
      return false;
    }
    let stream: ClientHttp2Stream;
    try {
      stream = this.#http2.request({ ':method': 'POST', ...pending.request.headers });
    } catch {
      pending.fail('request_invalid');
      return true;
    }
    pending.bytesReadWhenWritten = this.#tcp.bytesRead;
    pending.setTimer(this.#clock.after(pending.timeoutMs, () => this.#onDeadline(pending, stream)));
    this.#streams.set(pending, stream);
    this.#listen(pending, stream);
    stream.end(pending.request.body);
    this.#liveness.used();
    this.#carried += 1;
    if (this.#carried === MAX_STREAMS) this.drain('retired');
    return true;
  }

  /** Takes no more streams; closes when those in flight are done. */
  drain(why: SessionEnd): void {
    this.#end(why);
    if (this.#streams.size === 0) this.#http2.destroy();
  }

  /** Drains, and stops listening for late answers. */
  close(): void {
    this.#isClosing = true;
    for (const [pending, stream] of this.#streams) {
      if (pending.isSettled) this.#cancel(pending, stream);
    }
    this.drain('retired');
  }

  #listen(pending: PendingRequest, stream: ClientHttp2Stream): void {
    let isAnswered = false;
    stream.on('response', (headers) => {
      isAnswered = true;
      this.#hasServed = true;
      pending.receiveHeaders(headers[':status'] ?? 0, headers);
    });
    stream.on('data', (chunk: Buffer) => {
      if (pending.receiveBody(chunk)) return;
      pending.complete();
      stream.close(NGHTTP2_CANCEL);
    });
    // The reason is read from the stream's code when it closes.
    stream.on('error', () => undefined);
    stream.on('close', () => {
      this.#streams.delete(pending);
      const isWhole =
        isAnswered && stream.rstCode === NGHTTP2_NO_ERROR && this.#ended !== 'connection_dead';
      if (isWhole) pending.complete();
      else pending.fail(this.#failureOf(stream));
      if (this.#ended === undefined) this.#listener.onRoom();
      else if (this.#streams.size === 0) this.#http2.destroy();
    });
  }

  /** The answer may have arrived while this process was busy, and timers run before sockets are read. */
  #onDeadline(pending: PendingRequest, stream: ClientHttp2Stream): void {
    setImmediate(() => setImmediate(() => this.#expire(pending, stream)));
  }

  /**
   * If the peer has sent no byte since the request was written, the path may be dead with our bytes still
   * in a buffer, to be delivered when it heals: only a reset of the connection discards them. Otherwise cancelling
   * cannot take the request back, so the stream stays open a while for a late answer. New requests go to another
   * connection, since the reason of the delay is unknown.
   */
  #expire(pending: PendingRequest, stream: ClientHttp2Stream): void {
    if (pending.isSettled) return;
    if (this.#tcp.bytesRead === pending.bytesReadWhenWritten) {
      pending.fail('connection_dead');
      this.#reset();
      return;
    }
    if (pending.expire() && !this.#isClosing) {
      pending.setTimer(this.#clock.after(LATE_MS, () => this.#cancel(pending, stream)));
    } else {
      this.#cancel(pending, stream);
    }
    this.drain('timeout');
  }

  #cancel(pending: PendingRequest, stream: ClientHttp2Stream): void {
    pending.fail('timeout');
    stream.close(NGHTTP2_CANCEL);
  }

  /** A connection that no longer takes streams must not hold requests back. */
  #applyLimit(maxConcurrentStreams: number | undefined): void {
    this.#limit = Math.min(this.#ownLimit, maxConcurrentStreams ?? this.#ownLimit);
    if (this.#limit === 0) this.drain('no_streams');
    else this.#listener.onRoom();
  }

  #onGoaway(lastStreamId: number | undefined): void {
    this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId ?? Number.POSITIVE_INFINITY);
    if (this.#carried > 0 && this.#lastStreamId > 0) this.#hasServed = true;
    this.drain('goaway');
  }

  #failureOf(stream: ClientHttp2Stream): FailureReason {
    if ((stream.id ?? 0) > this.#lastStreamId) return 'goaway';
    if (stream.rstCode === NGHTTP2_REFUSED_STREAM) return 'refused_stream';
    if (this.#ended === 'connection_dead') return 'connection_dead';
    if (this.#http2.destroyed || this.#tcp.destroyed) return 'connection_lost';
    return 'stream_reset';
  }

  #reset(): void {
    this.#end('connection_dead');
    this.#tcp.resetAndDestroy();
    this.#http2.destroy();
  }

  #onClose(): void {
    this.#liveness.stop();
    this.#end('connection_lost');
    this.#tcp.destroy();
    this.#listener.onGone(this);
  }

  #end(why: SessionEnd): void {
    if (this.#ended !== undefined) {
      if (why === 'connection_dead') this.#ended = why;
      return;
    }
    this.#ended = why;
    this.#listener.onEnd(this, why);
  }
}

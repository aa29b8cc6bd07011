// One HTTP/2 connection in use: opens streams within the peer's limit, ends them at their deadline, and
// tells the transport when it takes no more.
//
// connecting (connect.ts) -> open -> draining (GOAWAY, a deadline passed, retired, surplus) -> gone
//                                 -> gone (reset by us or by the peer)

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type Settings,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { Connection } from './connect.ts';
import type { Exchange } from './exchange.ts';
import type { FailureReason } from './failure.ts';
import { Liveness } from './liveness.ts';

export type SessionEnd =
  | 'goaway'
  | 'retired'
  | 'surplus'
  | 'timeout'
  | 'connection_dead'
  | 'connection_lost';

export interface SessionListener {
  /** A stream has become free, or the peer allows more. */
  onRoom(): void;
  /** It takes no more streams; called once. Streams in flight go on unless the connection is lost. */
  onEnd(session: Session, why: SessionEnd): void;
  /** Nothing is left of it. */
  onGone(session: Session): void;
}

export interface SessionOptions {
  readonly clock: Clock;
  /** Own bound on streams, whatever the peer allows. */
  readonly maxInFlight: number;
  readonly idlePingMs?: number;
}

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
/** Stream ids of HTTP/2 end at 2^31; a busy service would reach them in days. */
const MAX_STREAMS = 2 ** 29;

export class Session {
  readonly openedAtMs: number;
  readonly #http2: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #listener: SessionListener;
  readonly #liveness: Liveness;
  readonly #ownLimit: number;
  readonly #streams = new Map<Exchange, ClientHttp2Stream>();
  #limit = 1;
  #opened = 0;
  #peakLoad = 0;
  #ended: SessionEnd | undefined;
  #lastStreamId: number | undefined;

  constructor({ http2, socket }: Connection, options: SessionOptions, listener: SessionListener) {
    this.openedAtMs = options.clock.nowMs();
    this.#http2 = http2;
    this.#socket = socket;
    this.#listener = listener;
    this.#ownLimit = options.maxInFlight;
    this.#liveness = new Liveness({
      clock: options.clock,
      ...(options.idlePingMs === undefined ? {} : { idlePingMs: options.idlePingMs }),
      bytesRead: () => socket.bytesRead,
      waiting: () => this.#streams.size,
      ping: () => this.#ping(),
      onDead: () => this.#reset('connection_dead'),
    });
    http2.on('remoteSettings', (settings) => this.#applyLimit(settings));
    http2.on('goaway', (_code, lastStreamId) => this.#onGoaway(lastStreamId));
    // What went wrong shows at the streams; an unheard error would end the process.
    http2.on('error', () => undefined);
    http2.on('close', () => this.#onClose());
  }

  /** How many requests it has carried. */
  get carried(): number {
    return this.#opened;
  }

  /** How many streams the peer takes at once, as far as it has said. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether the peer has yet to allow more than a first stream. */
  get isGated(): boolean {
    return this.#limit <= 1;
  }

  /** Streams in flight. */
  get load(): number {
    return this.#streams.size;
  }

  get hasRoom(): boolean {
    return this.#ended === undefined && this.#streams.size < this.#limit;
  }

  /** The greatest load since this was last asked. */
  takePeakLoad(): number {
    const peak = this.#peakLoad;
    this.#peakLoad = this.#streams.size;
    return peak;
  }

  /** Writes the request; false if the connection is closing and nothing was written. */
  send(exchange: Exchange): boolean {
    if (this.#http2.closed || this.#http2.destroyed) {
      this.#end('connection_lost');
      return false;
    }
    let stream: ClientHttp2Stream;
    try {
      stream = this.#http2.request(exchange.request.headers);
    } catch {
      exchange.fail('request_invalid');
      return true;
    }
    exchange.bytesReadAtStart = this.#socket.bytesRead;
    this.#streams.set(exchange, stream);
    if (this.#streams.size > this.#peakLoad) this.#peakLoad = this.#streams.size;
    this.#liveness.used();
    stream.on('response', (headers) => exchange.receiveHeaders(headers));
    stream.on('data', (chunk: Buffer) => {
      if (!exchange.receiveBody(chunk)) this.#cutShort(exchange, stream);
    });
    // The reason is read from the stream's code when it closes.
    stream.on('error', () => undefined);
    stream.on('close', () => this.#onStreamClose(exchange, stream));
    stream.end(exchange.request.body);
    this.#opened += 1;
    if (this.#opened === MAX_STREAMS) this.drain('retired');
    return true;
  }

  /**
   * The deadline of a request in flight is over, and nothing of it may reach the provider any more. If
   * the peer has sent no byte since it was written, the path may be dead with our bytes still waiting
   * in a buffer, to be delivered when it heals: only a reset of the connection takes them back. Otherwise
   * the stream is cancelled, and the connection, of which nobody knows why it is slow, is replaced.
   */
  expire(exchange: Exchange): void {
    const stream = this.#streams.get(exchange);
    if (stream === undefined) return;
    const silent = this.#socket.bytesRead === exchange.bytesReadAtStart;
    exchange.fail('timeout');
    if (silent) {
      this.#reset('connection_dead');
    } else {
      stream.close(NGHTTP2_CANCEL);
      this.drain('timeout');
    }
  }

  /** Takes no more streams; closes when those in flight are done. */
  drain(why: SessionEnd): void {
    this.#end(why);
    if (this.#streams.size === 0) this.#http2.destroy();
  }

  #applyLimit(settings: Settings): void {
    this.#limit = Math.min(this.#ownLimit, settings.maxConcurrentStreams ?? this.#ownLimit);
    this.#listener.onRoom();
  }

  #onGoaway(lastStreamId: number | undefined): void {
    this.#lastStreamId = lastStreamId;
    this.#end('goaway');
  }

  #onStreamClose(exchange: Exchange, stream: ClientHttp2Stream): void {
    this.#streams.delete(exchange);
    if (!exchange.settled) {
      if (exchange.answered && this.#completed(stream)) exchange.answer();
      else exchange.fail(this.#streamFailure(stream));
    }
    if (this.#ended === undefined) this.#listener.onRoom();
    else if (this.#streams.size === 0) this.#http2.destroy();
  }

  /** A stream torn down with its connection also closes without an error code. */
  #completed(stream: ClientHttp2Stream): boolean {
    return stream.rstCode === NGHTTP2_NO_ERROR && this.#ended !== 'connection_dead';
  }

  #streamFailure(stream: ClientHttp2Stream): FailureReason {
    if (this.#lastStreamId !== undefined && (stream.id ?? 0) > this.#lastStreamId) return 'goaway';
    if (stream.rstCode === NGHTTP2_REFUSED_STREAM) return 'refused_stream';
    if (this.#ended === 'connection_dead') return 'connection_dead';
    if (this.#http2.destroyed || this.#socket.destroyed) return 'connection_lost';
    return 'stream_reset';
  }

  #cutShort(exchange: Exchange, stream: ClientHttp2Stream): void {
    exchange.answer();
    stream.close(NGHTTP2_CANCEL);
  }

  #ping(): void {
    if (!this.#http2.destroyed) this.#http2.ping(() => undefined);
  }

  #reset(why: SessionEnd): void {
    this.#end(why);
    this.#socket.resetAndDestroy();
    this.#http2.destroy();
  }

  #onClose(): void {
    this.#liveness.stop();
    this.#end('connection_lost');
    this.#socket.destroy();
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

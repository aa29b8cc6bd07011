// One HTTP/2 connection in use: opens streams within the peer's limit, ends them at their deadline, and
// tells the transport when it takes no more.
//
// connecting (connect.ts) -> open -> draining (GOAWAY, a deadline passed, retired, surplus) -> gone
//                                 -> gone (reset by us or by the peer)

import type { Socket } from 'node:net';
import type { Clock } from '../../core/ports/clock.ts';
import { type ConnectionListener, Http2Connection, type StreamEnd } from '../http2/connection.ts';
import type { Sockets } from './connect.ts';
import type { Carrier, Exchange } from './exchange.ts';
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
  readonly origin: URL;
  /** Own bound on streams, whatever the peer allows. */
  readonly maxInFlight: number;
  readonly idlePingMs?: number;
}

/** Stream ids of HTTP/2 end at 2^31; a busy service would reach them in days. */
const MAX_STREAMS = 2 ** 29;

export class Session implements ConnectionListener, Carrier {
  readonly openedAtMs: number;
  readonly #connection: Http2Connection;
  readonly #tcp: Socket;
  readonly #listener: SessionListener;
  readonly #liveness: Liveness;
  readonly #ownLimit: number;
  #limit = 1;
  #opened = 0;
  #load = 0;
  #peakLoad = 0;
  #ended: SessionEnd | undefined;

  constructor({ secure, tcp }: Sockets, options: SessionOptions, listener: SessionListener) {
    this.openedAtMs = options.clock.nowMs();
    this.#connection = new Http2Connection(secure, options.origin.host, this);
    this.#tcp = tcp;
    this.#listener = listener;
    this.#ownLimit = options.maxInFlight;
    this.#liveness = new Liveness({
      clock: options.clock,
      ...(options.idlePingMs === undefined ? {} : { idlePingMs: options.idlePingMs }),
      bytesRead: () => tcp.bytesRead,
      waiting: () => this.#load,
      ping: () => this.#connection.ping(),
      onDead: () => this.#reset('connection_dead'),
    });
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
    return this.#load;
  }

  get hasRoom(): boolean {
    return this.#ended === undefined && this.#load < this.#limit;
  }

  /** The greatest load since this was last asked. */
  takePeakLoad(): number {
    const peak = this.#peakLoad;
    this.#peakLoad = this.#load;
    return peak;
  }

  /** Writes the request; false if the connection is closing and nothing was written. */
  send(exchange: Exchange): boolean {
    if (this.#connection.closed) {
      this.#end('connection_lost');
      return false;
    }
    const { headers, body } = exchange.request;
    const stream = this.#connection.request(headers, body, exchange);
    if (stream === undefined) {
      exchange.fail('request_invalid');
      return true;
    }
    exchange.bytesReadAtStart = this.#tcp.bytesRead;
    exchange.carrier = this;
    exchange.stream = stream;
    this.#load += 1;
    if (this.#load > this.#peakLoad) this.#peakLoad = this.#load;
    this.#liveness.used();
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
    const silent = this.#tcp.bytesRead === exchange.bytesReadAtStart;
    exchange.fail('timeout');
    if (silent) {
      this.#reset('connection_dead');
    } else {
      this.drain('timeout');
      this.#cancel(exchange);
    }
  }

  /** Takes no more streams; closes when those in flight are done. */
  drain(why: SessionEnd): void {
    this.#end(why);
    if (this.#load === 0) this.#connection.close();
  }

  onSettings(maxConcurrentStreams: number | undefined): void {
    this.#limit = Math.min(this.#ownLimit, maxConcurrentStreams ?? this.#ownLimit);
    this.#listener.onRoom();
  }

  onGoaway(): void {
    this.drain('goaway');
  }

  onClosed(): void {
    this.#liveness.stop();
    this.#end('connection_lost');
    this.#tcp.destroy();
    this.#listener.onGone(this);
  }

  streamEnded(exchange: Exchange, why: StreamEnd): void {
    if (why === 'complete') exchange.answer();
    else exchange.fail(this.#failureOf(why));
    this.#leave(exchange);
  }

  #failureOf(why: Exclude<StreamEnd, 'complete'>): FailureReason {
    switch (why) {
      case 'goaway':
        return 'goaway';
      case 'refused':
        return 'refused_stream';
      case 'reset':
        return 'stream_reset';
      case 'lost':
        return this.#ended === 'connection_dead' ? 'connection_dead' : 'connection_lost';
    }
  }

  cutShort(exchange: Exchange): void {
    exchange.answer();
    this.#cancel(exchange);
  }

  #cancel(exchange: Exchange): void {
    const { stream } = exchange;
    if (stream === undefined) return;
    this.#connection.cancel(stream);
    this.#leave(exchange);
  }

  #leave(exchange: Exchange): void {
    exchange.carrier = undefined;
    exchange.stream = undefined;
    this.#load -= 1;
    if (this.#ended === undefined) this.#listener.onRoom();
    else if (this.#load === 0) this.#connection.close();
  }

  #reset(why: SessionEnd): void {
    this.#end(why);
    this.#tcp.resetAndDestroy();
    this.#connection.abandon();
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

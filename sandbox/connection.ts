// One accepted connection of a stand-in: its number, its counters, and what can
// be done to it as a whole (GOAWAY, reset, freeze, raising the stream limit).
import { constants, type ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { FreezableSocket } from './freezable-socket.ts';

export type Protocol = 'h2' | 'http/1.1';

export interface GoAway {
  /** HTTP/2 error code, RFC 9113 section 7; default 0, NO_ERROR. */
  readonly code?: number | undefined;
  /**
   * Streams above it count as not processed. Default: the newest one. Node cannot send 0
   * (it means the newest as well).
   */
  readonly lastStreamId?: number | undefined;
  /** Sent as Apple does, in the debug data: `{"reason":"…"}`. */
  readonly reason?: string | undefined;
}

export interface ConnectionReport {
  /** From 1, in the order of acceptance, per provider. */
  readonly number: number;
  readonly protocol: Protocol | undefined;
  readonly open: boolean;
  readonly requests: number;
  readonly invalidTokens: number;
  readonly goAwaysSent: number;
}

export class Connection {
  readonly number: number;
  requests = 0;
  /** Answers that said BadDeviceToken; Apple closes a connection that collects many. */
  invalidTokens = 0;
  readonly #socket: FreezableSocket;
  #secure: TLSSocket | undefined;
  #session: ServerHttp2Session | undefined;
  #openStreams = 0;
  #protocol: Protocol | undefined;
  #goAwaysSent = 0;
  #open = true;
  #streamsFixed = false;

  constructor(number: number, socket: FreezableSocket) {
    this.number = number;
    this.#socket = socket;
    socket.on('close', () => {
      this.#open = false;
    });
  }

  get protocol(): Protocol | undefined {
    return this.#protocol;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Called when the handshake has decided the protocol; with HTTP/2 there is a session. */
  speaks(secure: TLSSocket, session?: ServerHttp2Session): void {
    this.#secure = secure;
    this.#session = session;
    this.#protocol = session === undefined ? 'http/1.1' : 'h2';
  }

  streamOpened(): void {
    this.#openStreams += 1;
  }

  streamClosed(): void {
    this.#openStreams -= 1;
    this.#endIfLeaving();
  }

  /** Announces a new stream limit, which is valid once the client has acknowledged it. */
  allowStreams(maxConcurrentStreams: number): void {
    if (!this.#streamsFixed) this.#announceStreams(maxConcurrentStreams);
  }

  /** The same, permanently: no later `allowStreams` changes it. With 0 the client may open none. */
  fixStreams(maxConcurrentStreams: number): void {
    this.#streamsFixed = true;
    this.#announceStreams(maxConcurrentStreams);
  }

  #announceStreams(maxConcurrentStreams: number): void {
    const session = this.#session;
    if (session !== undefined && !session.destroyed) session.settings({ maxConcurrentStreams });
  }

  /** Sends GOAWAY and closes when the streams in flight are done. No effect on HTTP/1.1. */
  goAway({ code = constants.NGHTTP2_NO_ERROR, lastStreamId = 0, reason }: GoAway = {}): void {
    const session = this.#session;
    // A second GOAWAY could only repeat or raise the last id, and raising it is a protocol error.
    if (session === undefined || session.destroyed || this.#goAwaysSent > 0) return;
    const debug = reason === undefined ? undefined : Buffer.from(JSON.stringify({ reason }));
    session.goaway(code, lastStreamId, debug);
    this.#goAwaysSent += 1;
    this.#endIfLeaving();
  }

  /**
   * Not `session.close()`, which sends GOAWAY again with the newest stream as the last one. No stream can begin after
   * the first GOAWAY.
   */
  #endIfLeaving(): void {
    if (this.#goAwaysSent === 0 || this.#openStreams > 0) return;
    // The last stream's answer is still on its way into the socket.
    setImmediate(() => this.#secure?.end());
  }

  reset(): void {
    this.#socket.reset();
  }

  freeze(): void {
    this.#socket.freeze();
  }

  destroy(): void {
    this.#session?.destroy();
    this.#socket.destroy();
  }

  report(): ConnectionReport {
    return {
      number: this.number,
      protocol: this.#protocol,
      open: this.#open,
      requests: this.requests,
      invalidTokens: this.invalidTokens,
      goAwaysSent: this.#goAwaysSent,
    };
  }
}

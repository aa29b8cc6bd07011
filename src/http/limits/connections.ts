// The open connections of callers: how many there may be, and which one is closed for a new one. Requests of a
// connection are answered one after the other; requests after an answer that closes the connection are ignored.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** No webhook sender pipelines; a caller that sends more requests ahead of their answers is cut off. */
const MAX_PIPELINED = 16;

/** What answers a request; it never rejects. */
type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown;

export interface ConnectionLimits {
  readonly maxConnections: number;
  /** Called for each new connection that is closed because no open one can be closed for it. */
  readonly onRefused: () => void;
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #listener: RequestListener;
  /** Each with its requests, the oldest first; the connection that was quiet longest first. */
  readonly #open = new Map<Socket, Exchange[]>();
  #isClosing = false;

  constructor(limits: ConnectionLimits, listener: RequestListener) {
    this.#limits = limits;
    this.#listener = listener;
  }

  /** A new connection. If there are too many, the one that was quiet longest and waits for no answer is closed. */
  add(socket: Socket): void {
    if (this.#open.size >= this.#limits.maxConnections && !this.#makeRoom()) {
      this.#limits.onRefused();
      socket.destroy();
      return;
    }
    this.#open.set(socket, []);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Hands a request to the listener as soon as those before it on its connection are answered. */
  readonly answerInTurn: RequestListener = (incoming, outgoing) => {
    const { socket } = incoming;
    const exchanges = this.#open.get(socket);
    // Requests after an answer that closes the connection are ignored.
    if (exchanges === undefined || !socket.writable) return;
    if (exchanges.length > MAX_PIPELINED) {
      socket.destroy();
      return;
    }
    if (this.#isClosing) outgoing.shouldKeepAlive = false;
    const exchange = { incoming, outgoing };
    exchanges.push(exchange);
    this.#noteUse(socket, exchanges);
    outgoing.once('close', () => {
      exchanges.shift();
      this.#goOn(socket, exchanges);
    });
    if (exchanges.length === 1) this.#answer(exchange);
  };

  /**
   * The next bytes of this connection are not HTTP. Complete requests before them are still answered; false if there
   * are none, and an answer may be written to the socket.
   */
  endAfterAnswers(socket: Socket): boolean {
    const exchanges = this.#open.get(socket) ?? [];
    const last = exchanges.findLastIndex(isOwed);
    if (last < 0) return false;
    // The incomplete request gets no answer: the answer before it closes the connection.
    exchanges.length = last + 1;
    for (const { outgoing } of exchanges.slice(last)) outgoing.shouldKeepAlive = false;
    return true;
  }

  /** From now on every answer ends its connection. */
  drain(): void {
    this.#isClosing = true;
    for (const exchanges of this.#open.values()) {
      for (const { outgoing } of exchanges) outgoing.shouldKeepAlive = false;
    }
  }

  /** The same, and connections without a request are closed at once. */
  close(): void {
    this.drain();
    for (const [socket, exchanges] of this.#open) {
      if (exchanges.length === 0) socket.destroy();
    }
  }

  destroy(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #answer(exchange: Exchange | undefined): void {
    if (exchange !== undefined) void this.#listener(exchange.incoming, exchange.outgoing);
  }

  #goOn(socket: Socket, exchanges: Exchange[]): void {
    // Node never sends an answer after one with `connection: close`.
    if (!socket.writable) return;
    this.#noteUse(socket, exchanges);
    this.#answer(exchanges[0]);
    if (this.#isClosing && exchanges.length === 0) socket.destroySoon();
  }

  #noteUse(socket: Socket, exchanges: Exchange[]): void {
    if (this.#open.delete(socket)) this.#open.set(socket, exchanges);
  }

  #makeRoom(): boolean {
    for (const [socket, exchanges] of this.#open) {
      if (exchanges.some(isOwed)) continue;
      this.#open.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}

/** Its request has come whole and we have not answered it. */
function isOwed({ incoming, outgoing }: Exchange): boolean {
  return incoming.complete && !outgoing.writableEnded;
}

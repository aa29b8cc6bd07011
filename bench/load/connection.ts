// One keep-alive connection of a caller: a request, its answer, the next request. Written by hand because the
// load generator must cost a fraction of what it measures; node:http's client costs more than the service.

import { connect, type Socket } from 'node:net';

export interface Answer {
  /** 0 if the connection broke before the answer was complete. */
  readonly status: number;
  /** The header `Delivery-Status`; other gateways send none. */
  readonly deliveryStatus: string | undefined;
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const BROKEN: Answer = { status: 0, deliveryStatus: undefined };

export class CallerConnection {
  readonly #socket: Socket;
  #received = '';
  #onAnswer: ((answer: Answer) => void) | undefined;
  #broken = false;

  constructor(port: number, host: string) {
    this.#socket = connect({ port, host, noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#receive(text));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#broken = true;
      this.#finish(BROKEN);
    });
  }

  get usable(): boolean {
    return !this.#broken;
  }

  /** Writes a request (as soon as the connection is open) and calls back once with its answer. */
  send(request: string, onAnswer: (answer: Answer) => void): void {
    this.#onAnswer = onAnswer;
    if (this.#broken) this.#finish(BROKEN);
    else this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    this.#received = this.#received === '' ? text : this.#received + text;
    const answer = parseAnswer(this.#received);
    if (answer === undefined) return;
    this.#received = '';
    this.#finish(answer);
  }

  #finish(answer: Answer): void {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.(answer);
  }
}

/** Undefined until the answer is complete; there is never more than one, since requests are not pipelined. */
export function parseAnswer(received: string): Answer | undefined {
  const headEnd = received.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = received.slice(0, headEnd);
  const body = received.slice(headEnd + HEAD_END.length);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const complete = length === undefined ? body.endsWith(LAST_CHUNK) : body.length >= Number(length);
  if (!complete) return undefined;
  const deliveryStatus = /\r\ndelivery-status: *(\w+)/i.exec(head)?.[1];
  return { status: Number(head.slice(9, 12)), deliveryStatus };
}

// A caller that speaks HTTP byte by byte: nothing is added, normalised or parsed.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export class RawSocket {
  readonly socket: Socket;
  #received = '';
  #onChange = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#onChange();
    });
    socket.on('close', () => this.#onChange());
    socket.on('error', () => {});
  }

  /** Resolves when the connection is open; it is destroyed after the test. */
  static async open(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    onTestFinished(() => {
      socket.destroy();
    });
    const raw = new RawSocket(socket);
    await once(socket, 'connect');
    return raw;
  }

  write(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }

  /** The bytes that arrived and are not read yet. */
  get received(): string {
    return this.#received;
  }

  /** Reads up to the end of the next head, including its blank line. */
  async head(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end >= 0) {
        const head = this.#received.slice(0, end + 4);
        this.#received = this.#received.slice(end + 4);
        return head;
      }
      if (this.socket.closed) throw new Error(`closed after ${JSON.stringify(this.#received)}`);
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  /** Everything that arrived until the other side closed the connection. */
  async untilEnd(): Promise<string> {
    if (!this.socket.readableEnded && !this.socket.closed) {
      await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')]);
    }
    return this.#received;
  }
}

/** A POST as lspd writes it. */
export function rawPost(path: string, body: string, headers: readonly string[] = []): string {
  const lines = ['Host: nds.example.com', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

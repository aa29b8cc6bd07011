// Replies of devices among several machines: one that another machine waits for goes to that machine's private listener,
// whose address comes only from the store. That machine does not forward again.

import http from 'node:http';
import { FORWARDED_PATH, forwardHeaders, machineOf } from '../core/answering/forwarding.ts';
import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Peer, Peers } from '../core/ports/peers.ts';
import type { LocalReplyExchange, ReplyExchange } from '../core/ports/replies.ts';

/** From reading the store to the other machine's answer. */
const FORWARD_MS = 1_000;
/** At once; bounded, because anybody may send replies. */
const MAX_FORWARDS = 64;

export type ForwardFailure =
  | 'too_many'
  | 'store'
  | 'no_address'
  | 'refused'
  | 'timeout'
  | 'connection_failed';

export interface ReplyForwarderParts {
  readonly local: LocalReplyExchange;
  readonly peers: Peers;
  readonly key: Uint8Array;
  readonly clock: Clock;
  readonly onFailed: (reason: ForwardFailure) => void;
}

export class ReplyForwarder implements ReplyExchange {
  readonly #parts: ReplyForwarderParts;
  readonly #agent = new http.Agent({ keepAlive: true });
  #forwards = 0;

  constructor(parts: ReplyForwarderParts) {
    this.#parts = parts;
  }

  newId(): string {
    return this.#parts.local.newId();
  }

  open(id: string, onReply: (body: Uint8Array) => void): void {
    this.#parts.local.open(id, onReply);
  }

  close(id: string): void {
    this.#parts.local.close(id);
  }

  async deliver(id: string, body: Uint8Array): Promise<boolean> {
    const { local, peers } = this.#parts;
    const machine = machineOf(id);
    if (machine === undefined || machine === peers.id) return await local.deliver(id, body);
    if (this.#forwards >= MAX_FORWARDS) throw this.#unreachable('too_many');
    this.#forwards += 1;
    try {
      return await this.#forward({ id, machine, body });
    } finally {
      this.#forwards -= 1;
    }
  }

  /** Ends what is under way. */
  end(): void {
    this.#agent.destroy();
  }

  async #forward(reply: Forwarded): Promise<boolean> {
    const over = new AbortController();
    const timer = this.#parts.clock.after(FORWARD_MS, () => over.abort());
    try {
      const peer = await this.#find(reply.machine);
      if (peer === undefined) return false;
      if (peer.url === undefined) throw this.#unreachable('no_address');
      const status = await this.#send(reply, { ...peer, url: peer.url }, over.signal);
      if (status === 200) return true;
      if (status === 404) return false;
      throw this.#unreachable('refused');
    } finally {
      timer.cancel();
    }
  }

  async #find(machine: string): Promise<Peer | undefined> {
    try {
      return await this.#parts.peers.find(machine);
    } catch (error) {
      throw this.#unreachable('store', error);
    }
  }

  /** The status of the answer. */
  async #send(
    { id, machine, body }: Forwarded,
    { url, epoch }: Peer & { readonly url: string },
    signal: AbortSignal,
  ): Promise<number> {
    const { key, clock } = this.#parts;
    const call = { method: 'POST', path: `${FORWARDED_PATH}${id}`, body };
    const headers = forwardHeaders(key, call, { machine, epoch, wallMs: clock.wallMs() });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    try {
      const request = http.request(new URL(call.path, url), {
        method: call.method,
        agent: this.#agent,
        signal,
        headers: { ...headers, 'content-length': body.length },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        // The body is a line for people.
        response.on('error', () => {});
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      request.end(body);
      return await promise;
    } catch (error) {
      throw this.#unreachable(signal.aborted ? 'timeout' : 'connection_failed', error);
    }
  }

  #unreachable(reason: ForwardFailure, cause?: unknown): ServiceError {
    this.#parts.onFailed(reason);
    return new ServiceError('machine_unreachable', { retryAfterSeconds: 1 }, { cause });
  }
}

interface Forwarded {
  readonly id: string;
  readonly machine: string;
  readonly body: Uint8Array;
}

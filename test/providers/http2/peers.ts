// Peers that no sandbox plays, and a client that reaches them.

import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { sharedIdentity } from '../../../sandbox/identity.ts';
import type { HttpRequest, RequestOptions } from '../../../src/providers/http2/client.ts';
import { Http2Client } from '../../../src/providers/http2/client.ts';
import { trustAlso } from '../../../src/providers/http2/connect.ts';
import type { PoolEvent, PoolOptions } from '../../../src/providers/http2/pool.ts';
import { createSystemClock } from '../../../src/service/system.ts';
import { turn } from '../support.ts';

const identity = await sharedIdentity();
export const tls = { key: identity.certificateKey, cert: identity.certificate };
const authorities = trustAlso(identity.ca);
export const REQUEST = { headers: { ':path': '/' }, body: '{}' };

/** Resolves with the origin; the server and its sockets end with the test. */
export async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `https://127.0.0.1:${address.port}`;
}

export type OpenClientOptions = Partial<Omit<PoolOptions, 'origin' | 'onEvent'>>;

/** A client of one connection by default. */
export function openClient(origin: string, options: OpenClientOptions = {}) {
  const events: PoolEvent[] = [];
  const client = new Http2Client({
    clock: createSystemClock(),
    maxInFlight: 1_000,
    maxConnections: 1,
    keepWarm: true,
    authorities,
    ...options,
    origin: new URL(origin),
    onEvent: (event) => events.push(event),
  });
  const request = (given: Partial<RequestOptions> = {}, what: HttpRequest = REQUEST) =>
    client.request(what, { waitMs: 2_000, timeoutMs: 2_000, ...given });
  return { client, events, request };
}

export function openHttp2(
  onStream: (
    stream: ServerHttp2Stream,
    path: string | undefined,
    headers: IncomingHttpHeaders,
  ) => unknown,
): Promise<string> {
  const server = createSecureServer(tls);
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    onStream(stream, headers[':path'], headers);
  });
  return listen(server);
}

export interface HoldingPeer {
  readonly server: Http2SecureServer;
  /** In the order of their connections. */
  readonly sessions: readonly ServerHttp2Session[];
  /** Unanswered requests, by connection. */
  held(): readonly number[];
  /** Answers every held request with 200, and later ones at once. */
  release(): void;
  /** Answers the oldest request that is held. */
  answerOne(): void;
  /** Resolves when this many requests are held. */
  untilHeld(count: number): Promise<void>;
}

/** Takes `streams` at once on each connection and answers nothing until it is released. Does not listen yet. */
export function createHoldingPeer(streams: number): HoldingPeer {
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: streams } });
  const held = new Map<ServerHttp2Session, Set<ServerHttp2Stream>>();
  let released = false;
  const answer = (stream: ServerHttp2Stream) => {
    if (!stream.destroyed) stream.respond({ ':status': 200 }, { endStream: true });
  };
  const counts = () => [...held.values()].map(({ size }) => size);
  server.on('sessionError', () => undefined);
  server.on('session', (session) => {
    const mine = new Set<ServerHttp2Stream>();
    held.set(session, mine);
    session.on('stream', (stream) => {
      stream.on('error', () => undefined);
      stream.on('close', () => mine.delete(stream));
      mine.add(stream);
      if (released) answer(stream);
    });
  });
  return {
    server,
    get sessions() {
      return [...held.keys()];
    },
    held: counts,
    release() {
      released = true;
      for (const mine of held.values()) for (const stream of mine) answer(stream);
    },
    answerOne() {
      const [oldest] = [...held.values()].flatMap((mine) => [...mine]);
      if (oldest !== undefined) answer(oldest);
    },
    async untilHeld(count) {
      while (counts().reduce((sum, size) => sum + size, 0) < count) await turn();
    },
  };
}

/** Forwards bytes until `stall` is called: then it neither reads nor writes, like a dead path. */
export async function openStallingProxy(target: string) {
  const port = Number(new URL(target).port);
  const ends: string[] = [];
  const inbound: Socket[] = [];
  const stalled = new Set<Socket>();
  // Without noDelay a small frame waits 40 ms for an acknowledgement, which fake time does not.
  const server = createServer({ noDelay: true }, (socket) => {
    const upstream = connect({ port, host: '127.0.0.1', noDelay: true });
    inbound.push(socket);
    socket.on('error', ({ message }) => ends.push(message));
    upstream.on('error', () => undefined);
    socket.on('close', () => upstream.destroy());
    socket.on('data', (chunk) => stalled.has(socket) || upstream.write(chunk));
    upstream.on('data', (chunk) => stalled.has(socket) || socket.write(chunk));
  });
  return {
    origin: await listen(server),
    ends,
    /** The connection with this number, from 0, or all. */
    stall: (number?: number) => {
      for (const socket of number === undefined ? inbound : inbound.slice(number, number + 1)) {
        stalled.add(socket);
        socket.pause();
      }
    },
    resume: () => {
      for (const socket of inbound) socket.resume();
    },
  };
}

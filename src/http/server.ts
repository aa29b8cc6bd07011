// The listeners, at a port and at a Unix socket: time limits, input that is not HTTP, and a close that lets every
// pending answer finish.

import { createServer, type Server } from 'node:http';
import { type ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { ServiceError } from '../core/errors.ts';
import type { Principal } from '../core/operating/scopes.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { App } from './app.ts';
import { type ConnectionLimits, Connections } from './limits/connections.ts';
import { problemBody, problemHeaders } from './problem.ts';

/**
 * Go's HTTP client keeps idle connections for 90 s and does not repeat a POST whose connection was closed while it was
 * sent. We therefore keep them longer.
 */
const KEEP_ALIVE_MS = 95_000;
/** A caller that sends its request more slowly than this is not a webhook. */
const REQUEST_MS = 30_000;
/** Also for a connection that sends nothing at all. */
const HEADERS_MS = 10_000;
/** How often Node looks for connections beyond these limits. */
const CHECK_EVERY_MS = 1_000;
/** How long a caller has to read the answer to malformed input, before its connection is destroyed. */
const LAST_WORDS_MS = 1_000;

/** Only its owner may connect to a socket that is made under this mask: no execution, nothing for others. */
const SOCKET_UMASK = 0o177;
/** All callers may connect at once. */
const BACKLOG = 4_096;

interface ListenerOptions extends ConnectionLimits {
  /** The input was not HTTP, or its request target was unusable. */
  readonly onMalformed?: ((requestId: string) => void) | undefined;
  /** In real time: 10 s, or less in a test. */
  readonly headersMs?: number;
  /** The principal of everybody who can connect. */
  readonly principal?: Principal | undefined;
}

export interface ServerOptions extends ListenerOptions {
  readonly host: string;
  readonly port: number;
}

export interface SocketServerOptions extends ListenerOptions {
  /** A path at which nothing exists yet. */
  readonly path: string;
}

export interface Listener {
  /** From now on every answer ends its connection; new ones are still taken. */
  drain(): void;
  /** Takes no new connections, closes idle ones, and resolves when the last answer is sent. */
  close(): Promise<void>;
  /** Destroys what is still open. */
  destroy(): void;
}

export interface RunningServer extends Listener {
  readonly host: string;
  readonly port: number;
}

interface ServerParts {
  readonly clock: Clock;
  readonly ids: Ids;
}

export async function startServer(
  app: App,
  parts: ServerParts,
  options: ServerOptions,
): Promise<RunningServer> {
  const { server, listener } = createListener(app, parts, options);
  const { host, port } = options;
  await listen(server, { host, port, backlog: BACKLOG });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return { host: address.address, port: address.port, ...listener };
}

/** A Unix socket that has mode 0600 from its creation on; it is removed at the close. */
export async function startSocketServer(
  app: App,
  parts: ServerParts,
  options: SocketServerOptions,
): Promise<Listener> {
  const { server, listener } = createListener(app, parts, options);
  const umask = process.umask(SOCKET_UMASK);
  // Node makes the socket before this call returns.
  const listening = listen(server, { path: options.path });
  process.umask(umask);
  await listening;
  return listener;
}

function createListener(
  app: App,
  { clock, ids }: ServerParts,
  options: ListenerOptions,
): { readonly server: Server; readonly listener: Listener } {
  const { principal, onMalformed } = options;
  const fetch: typeof app.fetch =
    principal === undefined
      ? app.fetch
      : (request, env) => app.fetch(request, { ...env, principal });
  const listener = getRequestListener(fetch, {
    // A Host or request target that is not a URL never reaches the app.
    errorHandler: () => {
      const requestId = ids.deliveryId();
      onMalformed?.(requestId);
      return malformedResponse(requestId);
    },
  });
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: options.headersMs ?? HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    // Node would refuse a missing one by itself, without a problem.
    requireHostHeader: false,
  });
  // A caller that ends its side after its request still gets the answer. Node has no option for this property.
  Object.assign(server, { httpAllowHalfOpen: true });
  const connections = new Connections(options, listener);
  server.on('connection', (socket) => connections.add(socket));
  server.on('request', connections.answerInTurn);
  // The app refuses what Node does not know.
  server.on('checkExpectation', connections.answerInTurn);
  answerMalformed(server, { clock, ids, connections, onMalformed });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      connections.close();
    });
  const drain = () => connections.drain();
  return { server, listener: { drain, close, destroy: () => connections.destroy() } };
}

function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What Node would answer by itself, or not at all, gets a problem, too. */
function answerMalformed(
  server: Server,
  {
    clock,
    ids,
    connections,
    onMalformed,
  }: {
    readonly clock: Clock;
    readonly ids: Ids;
    readonly connections: Connections;
    readonly onMalformed: ListenerOptions['onMalformed'];
  },
): void {
  const end = (socket: Duplex) => {
    if (socket instanceof Socket && connections.endAfterAnswers(socket)) return;
    // A connection that never sent anything was opened in reserve, and Go's client complains about an answer.
    const isSilent = socket instanceof Socket && socket.bytesRead === 0;
    if (!socket.writable || isSilent) {
      socket.destroy();
      return;
    }
    const requestId = ids.deliveryId();
    onMalformed?.(requestId);
    socket.end(malformedBytes(requestId));
    const timer = clock.after(LAST_WORDS_MS, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  };
  server.on('clientError', (_error, socket) => end(socket));
  server.on('connect', (_request, socket) => end(socket));
}

function malformed(requestId: string) {
  const error = new ServiceError('bad_request');
  const body = problemBody(error, requestId);
  const headers = {
    ...problemHeaders(error),
    'Request-Id': requestId,
    Connection: 'close',
    'Content-Length': String(Buffer.byteLength(body)),
  };
  return { status: error.status, headers, body };
}

function malformedResponse(requestId: string): Response {
  const { body, ...init } = malformed(requestId);
  return new Response(body, init);
}

function malformedBytes(requestId: string): string {
  const { headers, body } = malformed(requestId);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return ['HTTP/1.1 400 Bad Request', ...lines, '', body].join('\r\n');
}

// The listening socket: time limits, garbage that is no HTTP, and an end that cuts nobody off.

import { createServer, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { ServiceError } from '../core/errors.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { App } from './app.ts';
import { writeAnswer } from './http-answer.ts';
import { problemAnswer, problemBody } from './problem.ts';

/**
 * Go's HTTP client keeps idle connections for 90 s and does not repeat a POST whose connection was cut
 * under it: we keep them longer than it does.
 */
const KEEP_ALIVE_MS = 95_000;
/** A caller that sends its request slower than this is not a webhook. */
const REQUEST_MS = 30_000;
const HEADERS_MS = 10_000;

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** One more is closed as soon as it is open. */
  readonly maxConnections: number;
  readonly onRefused: () => void;
}

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Takes no new connections, closes idle ones, and resolves when the last answer is out. */
  close(): Promise<void>;
  /** Cuts what is still open. */
  destroy(): void;
}

export async function startServer(
  app: App,
  ids: Ids,
  options: ServerOptions,
): Promise<RunningServer> {
  const listener = getRequestListener(app.fetch, {
    // Handlers read Node's own request; the global Request and Response stay untouched.
    overrideGlobalObjects: false,
    // A Host or a target of which no URL can be made.
    errorHandler: () => garbageResponse(ids),
  });
  const limits = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    // Node would refuse a missing one by itself, without a problem.
    requireHostHeader: false,
  };
  const server = createServer(limits, (incoming, outgoing) => {
    if (!app.take(incoming, outgoing)) void listener(incoming, outgoing);
  });
  server.maxConnections = options.maxConnections;
  server.on('drop', () => {
    // Those that only keep a connection for later make room for who has something to say.
    server.closeIdleConnections();
    options.onRefused();
  });
  answerGarbage(server, ids);
  const close = prepareClosing(server);
  await listen(server, options);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    host: address.address,
    port: address.port,
    close,
    destroy: () => server.closeAllConnections(),
  };
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What Node would answer by itself, or not at all, never reaches the app; it gets a problem all the same. */
function answerGarbage(server: Server, ids: Ids): void {
  server.on('clientError', (_error, socket) => endWithGarbage(socket, ids));
  server.on('connect', (_request, socket) => endWithGarbage(socket, ids));
  server.on('checkExpectation', (_request, outgoing) => {
    const error = new ServiceError('bad_request');
    const answer = problemAnswer(error, ids.deliveryId());
    writeAnswer(outgoing, { ...answer, headers: { ...answer.headers, connection: 'close' } });
  });
}

function garbageResponse(ids: Ids): Response {
  const { status, headers, body } = problemAnswer(
    new ServiceError('bad_request'),
    ids.deliveryId(),
  );
  return new Response(body, { status, headers: { ...headers, connection: 'close' } });
}

function endWithGarbage(socket: Duplex, ids: Ids): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = problemBody(new ServiceError('bad_request'), ids.deliveryId());
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/**
 * Node closes the connections that are idle when the server is closed; those that become so later it would
 * keep for as long as their callers like.
 */
function prepareClosing(server: Server): () => Promise<void> {
  let isClosing = false;
  server.on('request', (_incoming, outgoing) => {
    outgoing.once('finish', () => {
      if (isClosing) server.closeIdleConnections();
    });
  });
  return () => {
    isClosing = true;
    return new Promise((resolve) => {
      server.close(() => resolve());
    });
  };
}

// The listening socket: time limits, garbage that is no HTTP, and an end that cuts nobody off.

import { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { ServiceError } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import type { DoorEnv } from './door.ts';
import { problemBody } from './problem.ts';

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
  readonly maxConnections: number;
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
  app: Hono<DoorEnv>,
  ids: Ids,
  options: ServerOptions,
): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    // Handlers read Node's own request; the global Request and Response stay untouched.
    overrideGlobalObjects: false,
    serverOptions: {
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
    },
  });
  if (!(server instanceof Server)) throw new Error('the adaptor must make an HTTP/1.1 server');
  server.maxConnections = options.maxConnections;
  answerGarbage(server, ids);
  await listen(server, options);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return {
    host: address.address,
    port: address.port,
    close: () => closeServer(server),
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

/** What Node's parser refuses never reaches the app; it gets a problem all the same. */
function answerGarbage(server: Server, ids: Ids): void {
  server.on('clientError', (_error, socket) => {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const body = problemBody(new ServiceError('bad_request'), ids.deliveryId());
    socket.end(
      `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

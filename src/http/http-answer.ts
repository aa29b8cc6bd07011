// What a door answers, and how it gets on the wire: straight into Node's own response. A `Response` with
// its headers and body stream costs as much as reading the request.

import type { ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';

export interface HttpAnswer {
  readonly status: number;
  /** Without `content-length`, which is added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

export const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** A success: always exactly 200, since two callers count only that. */
export function json(body: object): HttpAnswer {
  return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(body) };
}

/** Returns what tells Hono that nothing is left to do. Harmless if the caller has left. */
export function sendAnswer(outgoing: ServerResponse, answer: HttpAnswer): Response {
  const { status, headers, body } = answer;
  // Hono makes a response of its own for HEAD, whatever it is given.
  if (outgoing.req.method === 'HEAD') return new Response(null, { status, headers });
  if (!outgoing.destroyed) {
    outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    outgoing.end(body);
  }
  return RESPONSE_ALREADY_SENT;
}

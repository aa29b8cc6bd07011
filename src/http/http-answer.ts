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

/** Harmless if the caller has left. */
export function writeAnswer(outgoing: ServerResponse, answer: HttpAnswer): void {
  if (outgoing.destroyed) return;
  const { status, headers, body } = answer;
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  outgoing.end(body);
}

/** For a route of Hono: writes the answer and returns what tells Hono that nothing is left to do. */
export function sendAnswer(outgoing: ServerResponse, answer: HttpAnswer): Response {
  // Hono makes a response of its own for HEAD, whatever it is given, and sends that.
  if (outgoing.req.method === 'HEAD') return new Response(null, answer);
  writeAnswer(outgoing, answer);
  return RESPONSE_ALREADY_SENT;
}

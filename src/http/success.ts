// A 200 at a webhook route. lspd neither reads nor closes the body of a 2xx, and Go then keeps the connection
// and two goroutines for ever: the body is empty, the headers say what happened.

import type { HttpContext } from './context.ts';

/** What a caller is told of a call that was not refused. */
export interface Told {
  readonly id: string;
  readonly status: string;
}

/** An empty body on the wire: without the header Node would send it chunked, which leaks like any other. */
const EMPTY = { 'Content-Length': '0' };
const NOT_STORED = { 'Cache-Control': 'no-store' };

/** JSON goes only to a caller whose `Accept` names it; proxies add a wildcard, which does not count. */
export function succeed(c: HttpContext, told: Told): Response {
  const headers = { 'Delivery-Id': told.id, 'Delivery-Status': told.status, ...NOT_STORED };
  if (namesJson(c.req.header('accept') ?? '')) return c.json(told, 200, headers);
  return c.body(null, 200, { ...headers, ...EMPTY });
}

export function succeedWithoutWords(c: HttpContext): Response {
  return c.body(null, 200, EMPTY);
}

/** What a device sent as its reply, byte for byte. */
export function passOn(c: HttpContext, bytes: Uint8Array): Response {
  return c.body(new Uint8Array(bytes), 200, { 'Content-Type': 'application/json', ...NOT_STORED });
}

/** For the routes of the registry, whose callers want the answer. */
export function json(c: HttpContext, body: object): Response {
  return c.json(body, 200, NOT_STORED);
}

function namesJson(accept: string): boolean {
  return accept.split(',').some((entry) => {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    return type === 'application/json' && !parameters.some((part) => /^q=0(\.0*)?$/.test(part));
  });
}

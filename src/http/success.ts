// The 200s of the routes that are not webhooks: the registry, and a device's reply.

import type { HttpContext } from './context.ts';
import { EMPTY, NOT_STORED } from './deliver.ts';

export function succeedWithoutWords(c: HttpContext): Response {
  return c.body(null, 200, EMPTY);
}

/** For the routes of the registry, whose callers read the answer. */
export function json(c: HttpContext, body: object): Response {
  return c.json(body, 200, NOT_STORED);
}

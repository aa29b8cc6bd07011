// POST /api/v1/response/:id, where a device sends the reply that a caller is waiting for.

import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/ports/replies.ts';
import { readBody } from './body.ts';
import type { HttpContext } from './context.ts';
import { succeedWithoutWords } from './success.ts';

/** Preceded by the machine if several share a store. */
const REPLY_ID = /^(?:[A-Za-z0-9_-]{22}){1,2}$/;

/**
 * Any content type, any bytes up to 64 KiB, also none. Unknown, used and expired ids get the same 404, so that
 * guessing teaches nothing.
 */
export async function handleReply(exchange: ReplyExchange, c: HttpContext): Promise<Response> {
  const body = await readBody(c);
  const id = c.req.param('id') ?? '';
  if (!REPLY_ID.test(id) || !(await exchange.deliver(id, body))) {
    throw new ServiceError('not_found', { detail: 'No caller waits for a reply with this id.' });
  }
  return succeedWithoutWords(c);
}

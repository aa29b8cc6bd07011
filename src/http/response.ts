// The device's door: POST /api/v1/response/:id with the answer that a caller is waiting for.

import { ServiceError } from '../core/errors.ts';
import type { ReplyExchange } from '../core/ports/replies.ts';
import { readBody } from './body.ts';
import type { Call } from './door.ts';
import type { HttpAnswer } from './http-answer.ts';

const REPLY_ID = /^[A-Za-z0-9_-]{22}$/;

/**
 * Any content type, any bytes up to 64 KiB, also none. Unknown, used and expired ids are one and the same
 * 404, so that guessing teaches nothing.
 */
export async function handleResponse(exchange: ReplyExchange, call: Call): Promise<HttpAnswer> {
  const body = await readBody(call.incoming);
  const id = call.param('id');
  if (!REPLY_ID.test(id) || !(await exchange.deliver(id, body))) {
    throw new ServiceError('not_found', { detail: 'Nobody waits for a reply under this id.' });
  }
  return { status: 200, headers: {}, body: '' };
}

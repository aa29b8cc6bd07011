// A request's body: uncompressed, bounded, and as raw bytes, because signatures cover the bytes.

import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ServiceError } from '../core/errors.ts';
import type { HttpContext, HttpEnv } from './context.ts';

const MAX_BODY_BYTES = 65_536;

/** For every route that reads a body. Throws `unsupported_encoding` or `body_too_large`. */
export function takesBody(maxBytes: number = MAX_BODY_BYTES): MiddlewareHandler<HttpEnv> {
  // Counts while it reads, for a body without a known length. It builds a web stream for every request.
  const countingLimit: MiddlewareHandler<HttpEnv> = bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw bodyTooLarge(maxBytes);
    },
  });
  return async (c, next) => {
    const { headers } = c.env.incoming;
    const encoding = headers['content-encoding']?.trim().toLowerCase() || 'identity';
    if (encoding !== 'identity') throw new ServiceError('unsupported_encoding');
    if (headers['transfer-encoding'] !== undefined) return await countingLimit(c, next);
    // Node's parser reads exactly as many bytes as the header says, and none without it.
    if (Number(headers['content-length'] ?? 0) > maxBytes) throw bodyTooLarge(maxBytes);
    return await next();
  };
}

/** Rejects if the caller breaks off. */
export async function readBody(c: HttpContext): Promise<Uint8Array> {
  return new Uint8Array(await c.req.arrayBuffer());
}

function bodyTooLarge(maxBytes: number): ServiceError {
  const detail = `The body has more than ${maxBytes} bytes.`;
  return new ServiceError('body_too_large', { detail });
}

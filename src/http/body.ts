// A request's body: uncompressed, bounded, and as raw bytes, because signatures cover the bytes.

import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ServiceError } from '../core/errors.ts';
import type { HttpContext, HttpEnv } from './context.ts';

const MAX_BODY_BYTES = 65_536;

/** For every route that reads a body. Throws `unsupported_encoding` or `body_too_large`. */
export const takesBody: readonly [MiddlewareHandler<HttpEnv>, MiddlewareHandler<HttpEnv>] = [
  async (c, next) => {
    const encoding = c.req.header('content-encoding')?.trim().toLowerCase() || 'identity';
    if (encoding !== 'identity') throw new ServiceError('unsupported_encoding');
    await next();
  },
  bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: () => {
      const detail = `The body has more than ${MAX_BODY_BYTES} bytes.`;
      throw new ServiceError('body_too_large', { detail });
    },
  }),
];

/** Rejects if the caller breaks off. */
export async function readBody(c: HttpContext): Promise<Uint8Array> {
  return new Uint8Array(await c.req.arrayBuffer());
}

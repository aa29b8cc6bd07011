// A request's body as raw bytes, bounded, whether its length was announced or it comes in chunks.

import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.ts';

export const MAX_BODY_BYTES = 65_536;

/**
 * Reads from Node's own stream: no parser, no text decoding, no copy for the usual single chunk. Throws
 * `body_too_large` as soon as the bound is passed and `bad_request` when the caller breaks off.
 */
export async function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const announced = Number(incoming.headers['content-length'] ?? 0);
  if (announced > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      if (!Buffer.isBuffer(chunk)) throw new Error('the body must be read as bytes');
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause;
    throw new ServiceError('bad_request', { detail: 'The body broke off.' }, { cause });
  }
  const [only] = chunks;
  return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, bytes);
}

function tooLarge(): ServiceError {
  return new ServiceError('body_too_large', {
    detail: `The body has more than ${MAX_BODY_BYTES} bytes.`,
  });
}

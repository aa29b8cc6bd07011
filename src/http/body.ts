// A request's body as raw bytes, bounded, whether its length was announced or it comes in chunks.

import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.ts';

export const MAX_BODY_BYTES = 65_536;

/**
 * Reads from Node's own stream by its events: no parser, no text decoding, no copy for the usual single
 * chunk. Rejects with `body_too_large` as soon as the bound is passed and with `bad_request` when the
 * caller breaks off.
 */
export function readBody(incoming: IncomingMessage): Promise<Uint8Array> {
  const announced = Number(incoming.headers['content-length'] ?? 0);
  if (announced > MAX_BODY_BYTES) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const broken = (cause?: Error) =>
      reject(new ServiceError('bad_request', { detail: 'The body broke off.' }, { cause }));
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) {
        incoming.pause();
        chunks.length = 0;
        reject(tooLarge());
        return;
      }
      chunks.push(chunk);
    });
    incoming.once('end', () => {
      const [only] = chunks;
      resolve(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks, bytes));
    });
    incoming.once('error', broken);
    // It closes after good requests, too.
    incoming.once('close', () => {
      if (!incoming.complete) broken();
    });
  });
}

function tooLarge(): ServiceError {
  return new ServiceError('body_too_large', {
    detail: `The body has more than ${MAX_BODY_BYTES} bytes.`,
  });
}

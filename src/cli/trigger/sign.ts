// How callers sign what they post.

import { createHash, createHmac } from 'node:crypto';
import { codec } from 'rfc4648';
import { pointFromScalar, signRecoverable } from 'tiny-secp256k1';

const ZBASE32 = { chars: 'ybndrfg8ejkmcpqxot1uwisza345h769', bits: 5 };
/** A compressed key: 27 for any, 4 for compressed. */
const COMPRESSED = 31;

export function hmacHex(secret: string | Uint8Array, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/** One entry of Standard Webhooks, scheme v1. The secret is `whsec_` and base64. */
export function standardSignature(secret: string, text: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}

/** The signature of Lightning nodes: zbase32 of recovery id, r and s. The key has 32 bytes. */
export function lightningSignature(key: Uint8Array, text: string): string {
  const once = createHash('sha256').update(`Lightning Signed Message:${text}`).digest();
  const digest = createHash('sha256').update(once).digest();
  const { recoveryId, signature } = signRecoverable(digest, key);
  return codec.stringify(Uint8Array.of(COMPRESSED + recoveryId, ...signature), ZBASE32);
}

export function nodeIdOf(key: Uint8Array): string {
  const point = pointFromScalar(key, true);
  if (point === null) throw new RangeError('no key of secp256k1');
  return Buffer.from(point).toString('hex');
}

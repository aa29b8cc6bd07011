// Signatures of Standard Webhooks 1.0.0: `v1` by HMAC-SHA256 under `whsec_…`, `v1a` by Ed25519 under `whsk_…`. During a
// rotation a call carries one entry for each secret.

import { createHmac, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { EndpointSecret } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';

const SECRET_PREFIX = 'whsec_';
const PRIVATE_KEY_PREFIX = 'whsk_';
const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
const SEED_BYTES = 32;
/** PrivateKeyInfo of Ed25519 (RFC 8410), up to the seed. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

type Key =
  | { readonly scheme: 'v1'; readonly secret: Uint8Array }
  | { readonly scheme: 'v1a'; readonly privateKey: KeyObject };

/** What is wrong with a secret; never quotes it. */
export function faultOfSecret(secret: string): string | undefined {
  if (parseKey(secret) !== undefined) return undefined;
  return `must be ${SECRET_PREFIX} and the base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes, or ${PRIVATE_KEY_PREFIX} and the base64 of an Ed25519 key`;
}

/** 32 random bytes. */
export function newSecret(ids: Pick<Ids, 'secret'>): string {
  const bytes = [1, 2].map(() => Buffer.from(ids.secret(), 'base64url'));
  return `${SECRET_PREFIX}${Buffer.concat(bytes).toString('base64')}`;
}

export interface Signed {
  readonly id: string;
  /** Of this attempt. */
  readonly wallMs: number;
  readonly body: string;
}

export function signedHeaders(
  { id, wallMs, body }: Signed,
  secrets: readonly EndpointSecret[],
): Readonly<Record<string, string>> {
  const seconds = Math.floor(wallMs / 1_000);
  const content = Buffer.from(`${id}.${seconds}.${body}`);
  const valid = secrets.filter(({ untilMs }) => untilMs === undefined || untilMs > wallMs);
  const entries = valid.map(({ secret }) => signatureOf(secret, content));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': entries.join(' '),
  };
}

function signatureOf(secret: string, content: Buffer): string {
  const key = parseKey(secret);
  if (key === undefined) throw new TypeError('a secret that was checked before cannot be used');
  switch (key.scheme) {
    case 'v1':
      return `v1,${createHmac('sha256', key.secret).update(content).digest('base64')}`;
    case 'v1a':
      return `v1a,${sign(null, content, key.privateKey).toString('base64')}`;
  }
}

function parseKey(text: string): Key | undefined {
  const prefix = [SECRET_PREFIX, PRIVATE_KEY_PREFIX].find((one) => text.startsWith(one));
  const encoded = text.slice(prefix?.length ?? 0);
  if (prefix === undefined || !BASE64.test(encoded)) return undefined;
  const bytes = Buffer.from(encoded, 'base64');
  if (prefix === SECRET_PREFIX) {
    const fits = bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES;
    return fits ? { scheme: 'v1', secret: bytes } : undefined;
  }
  // The libraries write the seed, or the seed and the public key behind it.
  if (bytes.length !== SEED_BYTES && bytes.length !== 2 * SEED_BYTES) return undefined;
  const der = Buffer.concat([PKCS8_HEAD, bytes.subarray(0, SEED_BYTES)]);
  return {
    scheme: 'v1a',
    privateKey: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }),
  };
}

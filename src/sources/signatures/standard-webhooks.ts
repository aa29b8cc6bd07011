// Signatures of Standard Webhooks 1.0.0: a list of `v1,` HMAC-SHA256 and `v1a,` Ed25519 entries under keys
// written as `whsec_` and `whpk_`. One entry that matches is enough.

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { decodeText } from './encoding.ts';
import { MAX_ENTRIES } from './entries.ts';
import { matchesHmac } from './hmac.ts';

const MIN_SECRET_BYTES = 24;
const MAX_SECRET_BYTES = 64;
const PUBLIC_KEY_BYTES = 32;
const SECRET_PREFIX = 'whsec_';
const PUBLIC_KEY_PREFIX = 'whpk_';
/** No quotes and braces: id, time and body are signed as one text, which must not be divided otherwise. */
export const SIGNED_ID = /^[A-Za-z0-9_.:=+/@|~-]{1,256}$/;

/** SubjectPublicKeyInfo of Ed25519 (RFC 8410), up to the key itself. */
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

type Key =
  | { readonly scheme: 'v1'; readonly secret: Uint8Array }
  | { readonly scheme: 'v1a'; readonly publicKey: KeyObject };

/** Whether one of the entries in the list signs the content under one of the keys. */
export function matchesStandardWebhook(
  list: string,
  content: Uint8Array,
  keys: readonly string[],
): boolean {
  const usable = keys.map(parseKey).filter((key) => key !== undefined);
  let matches = false;
  for (const entry of list.split(' ', MAX_ENTRIES)) {
    const comma = entry.indexOf(',');
    const scheme = entry.slice(0, Math.max(comma, 0));
    const signature = decodeText(entry.slice(comma + 1), 'base64');
    if (signature === undefined) continue;
    for (const key of usable) {
      if (key.scheme === scheme) matches = signs(key, signature, content) || matches;
    }
  }
  return matches;
}

/** What is wrong with a key, for the operator who configures it; undefined if it can be used. Never quotes it. */
export function faultOfStandardKey(key: string): string | undefined {
  if (parseKey(key) !== undefined) return undefined;
  return `must be ${SECRET_PREFIX} and the base64 of ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes, or ${PUBLIC_KEY_PREFIX} and the base64 of an Ed25519 public key`;
}

function signs(key: Key, signature: Uint8Array, content: Uint8Array): boolean {
  switch (key.scheme) {
    case 'v1':
      return matchesHmac([signature], 'sha256', { secrets: [key.secret], messages: [content] });
    case 'v1a':
      return verify(null, content, key.publicKey, signature);
  }
}

function parseKey(text: string): Key | undefined {
  if (text.startsWith(SECRET_PREFIX)) {
    const secret = decodeText(text.slice(SECRET_PREFIX.length), 'base64');
    if (secret === undefined) return undefined;
    const fits = secret.length >= MIN_SECRET_BYTES && secret.length <= MAX_SECRET_BYTES;
    return fits ? { scheme: 'v1', secret } : undefined;
  }
  if (!text.startsWith(PUBLIC_KEY_PREFIX)) return undefined;
  const bytes = decodeText(text.slice(PUBLIC_KEY_PREFIX.length), 'base64');
  if (bytes?.length !== PUBLIC_KEY_BYTES) return undefined;
  const der = Buffer.concat([SPKI_HEAD, bytes]);
  return { scheme: 'v1a', publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }) };
}

// HMAC signatures in a header: decoded, then compared in constant time with what every secret makes of
// every reading of the call.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { ServiceError } from '../../core/errors.ts';
import type { SourceRequest } from '../../core/ports/source.ts';
import { decodeText, type SignatureEncoding } from './encoding.ts';

export type HmacAlgorithm = 'sha1' | 'sha256' | 'sha512';

const BYTES: Readonly<Record<HmacAlgorithm, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** How a caller writes its signature. */
export interface HmacScheme {
  /** In lower case, as Node has it. */
  readonly header: string;
  readonly algorithm: HmacAlgorithm;
  readonly encoding: SignatureEncoding;
  /** Stands before the signature in the header, such as `sha256=`. */
  readonly prefix: string;
}

/** The form that most callers use: hex HMAC-SHA256, alone in a header. */
export function hexSha256In(header: string): HmacScheme {
  return { header, algorithm: 'sha256', encoding: 'hex', prefix: '' };
}

export interface HmacInput {
  readonly secrets: readonly (string | Uint8Array)[];
  /** What the caller may have signed: one of these has to fit. */
  readonly messages: readonly Uint8Array[];
}

/** Throws `bad_signature` unless the header holds the HMAC of a message under one of the secrets. */
export function requireHmac(request: SourceRequest, scheme: HmacScheme, input: HmacInput): void {
  const { header, prefix, encoding } = scheme;
  const value = request.headers[header];
  if (value === undefined) refuse(`The header ${header} is missing.`);
  const text = value.startsWith(prefix) ? value.slice(prefix.length) : undefined;
  const signature = text === undefined ? undefined : decodeText(text, encoding);
  if (signature?.length !== BYTES[scheme.algorithm]) refuse(`The header ${header} is malformed.`);
  if (!matchesHmac(signature, scheme.algorithm, input)) {
    refuse(`The header ${header} does not fit the body and any secret of this URL.`);
  }
}

/**
 * Whether one of the secrets signed one of the messages. All of them are computed before the answer, so
 * that its time does not tell which one came close; an empty secret, which anybody has, never fits.
 */
export function matchesHmac(
  signature: Uint8Array,
  algorithm: HmacAlgorithm,
  { secrets, messages }: HmacInput,
): boolean {
  if (signature.length !== BYTES[algorithm]) return false;
  let matches = false;
  for (const secret of secrets) {
    if (secret.length === 0) continue;
    for (const message of messages) {
      const expected = createHmac(algorithm, secret).update(message).digest();
      matches = timingSafeEqual(expected, signature) || matches;
    }
  }
  return matches;
}

function refuse(detail: string): never {
  throw new ServiceError('bad_signature', { detail });
}

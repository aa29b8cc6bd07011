// HMAC signatures as text: decoded, then compared in constant time with what every secret makes of every
// reading of the call.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { ServiceError } from '../../core/errors.ts';
import type { SourceRequest } from '../../core/ports/source.ts';
import { decodeText, type SignatureEncoding } from './encoding.ts';
import { entriesOf } from './entries.ts';

export type HmacAlgorithm = 'sha1' | 'sha256' | 'sha512';

const BYTES: Readonly<Record<HmacAlgorithm, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/** How a caller writes its signature. */
export interface HmacForm {
  readonly algorithm: HmacAlgorithm;
  readonly encoding: SignatureEncoding;
  /** Stands before the signature, such as `sha256=`. */
  readonly prefix: string;
  /** Separates several entries, as in `t=1754049600,v1=…`: one that begins with `prefix` and matches is enough. */
  readonly separator?: string | undefined;
}

export interface HmacScheme extends HmacForm {
  /** In lower case, as Node has it. */
  readonly header: string;
}

/** The form that most callers use: hex HMAC-SHA256, alone in a header. */
export function hexSha256In(header: string): HmacScheme {
  return { header, algorithm: 'sha256', encoding: 'hex', prefix: '' };
}

export interface HmacInput {
  readonly secrets: readonly (string | Uint8Array)[];
  /** What the caller may have signed: one of these has to match. */
  readonly messages: readonly Uint8Array[];
}

/** Throws `bad_signature` unless the header holds the HMAC of a message under one of the secrets. */
export function requireHmac(request: SourceRequest, scheme: HmacScheme, input: HmacInput): void {
  const { header } = scheme;
  requireHmacText(request.headers[header], { ...scheme, where: `The header ${header}` }, input);
}

/** The same for a signature that is not in a header; `where` begins the sentence that refuses it. */
export function requireHmacText(
  text: string | undefined,
  { where, ...form }: HmacForm & { readonly where: string },
  input: HmacInput,
): void {
  if (text === undefined) refuse(`${where} is missing.`);
  const { algorithm, encoding } = form;
  const signatures = entriesOf(text, form)
    .map((entry) => decodeText(entry, encoding))
    .filter((signature) => signature?.length === BYTES[algorithm])
    .filter((signature) => signature !== undefined);
  if (signatures.length === 0) refuse(`${where} is malformed.`);
  if (!matchesHmac(signatures, algorithm, input)) {
    refuse(`${where} does not match the body under any secret of this URL.`);
  }
}

/**
 * Whether one of the secrets made one of the signatures of one of the messages. All of them are compared before the
 * answer, so that its time does not show which one came close; an empty secret, which everybody knows, never matches.
 */
export function matchesHmac(
  signatures: readonly Uint8Array[],
  algorithm: HmacAlgorithm,
  { secrets, messages }: HmacInput,
): boolean {
  const comparable = signatures.filter(({ length }) => length === BYTES[algorithm]);
  let matches = false;
  for (const secret of secrets) {
    if (secret.length === 0) continue;
    for (const message of messages) {
      const expected = createHmac(algorithm, secret).update(message).digest();
      for (const signature of comparable) {
        matches = timingSafeEqual(expected, signature) || matches;
      }
    }
  }
  return matches;
}

function refuse(detail: string): never {
  throw new ServiceError('bad_signature', { detail });
}

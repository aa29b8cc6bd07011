// Calls as a door would pass them to a source, and their results.

import { createHash, createHmac } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { codec } from 'rfc4648';
import { ERRORS, ServiceError } from '../../src/core/errors.ts';
import type { ParsedNotification } from '../../src/core/notification.ts';
import type {
  Parsed,
  Source,
  SourceCredentials,
  SourceRequest,
} from '../../src/core/ports/source.ts';

/** The time of the fixtures' clock. */
export const NOW_MS = 1_754_049_600_000;

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  readonly receivedAtMs?: number;
}

export function requestOf({ headers = {}, body, receivedAtMs = NOW_MS }: Call): SourceRequest {
  const lowered = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { headers: Object.fromEntries(lowered), body: Buffer.from(body), receivedAtMs };
}

export function credentials(given: Partial<SourceCredentials> = {}): SourceCredentials {
  return { secrets: [], nodeIds: [], ...given };
}

export type Result =
  | { readonly parsed: Parsed; readonly status: 200 }
  | { readonly error: ServiceError; readonly status: number };

/** Authenticates and parses, and returns the status from the source's table and that of the errors. */
export function call(source: Source, request: SourceRequest, known: SourceCredentials): Result {
  try {
    source.authenticate(request, known);
    return { parsed: source.parse(request, known), status: 200 };
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    return { error, status: source.statuses[error.code] ?? ERRORS[error.code].status };
  }
}

export function codeOf(result: Result): string {
  return 'error' in result ? result.error.code : result.parsed.kind;
}

export function notificationOf(result: Result): ParsedNotification {
  if ('error' in result) throw result.error;
  if (result.parsed.kind !== 'notification') throw new Error(`a ${result.parsed.kind} came out`);
  return result.parsed.notification;
}

export function hmacHex(secret: string, message: string | Uint8Array): string {
  return createHmac('sha256', secret).update(message).digest('hex');
}

const ZBASE32 = { chars: 'ybndrfg8ejkmcpqxot1uwisza345h769', bits: 5 };

export function zbase32(bytes: Uint8Array): string {
  return codec.stringify(bytes, ZBASE32);
}

export function fromZbase32(text: string): Uint8Array {
  return codec.parse(text, ZBASE32);
}

/** The signature of a Lightning node: recovery id + 31, r and s. */
export function signLightning(message: string | Uint8Array, secretKey: Uint8Array): Uint8Array {
  const signature = secp256k1.sign(doubleHash(message), secretKey, {
    prehash: false,
    format: 'recovered',
  });
  return Uint8Array.of(31 + (signature[0] ?? 0), ...signature.slice(1));
}

export function doubleHash(message: string | Uint8Array): Uint8Array {
  const text = Buffer.concat([Buffer.from('Lightning Signed Message:'), Buffer.from(message)]);
  return sha256(sha256(text));
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

export function nodeIdOf(secretKey: Uint8Array): string {
  return Buffer.from(secp256k1.getPublicKey(secretKey)).toString('hex');
}

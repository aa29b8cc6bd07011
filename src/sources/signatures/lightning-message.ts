// Signed messages of Lightning nodes (LND's `signmessage`, which bLIP-50 demands as `ln_signature`):
// zbase32(31 + recovery id, r, s) over SHA-256(SHA-256("Lightning Signed Message:" + message)).

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { decodeZbase32 } from './encoding.ts';

type Curve = Pick<typeof import('tiny-secp256k1'), 'recover'>;

const load: (name: string) => Curve = createRequire(import.meta.url);
/** Loaded for the first signature: most services never see one. */
let curve: Curve | undefined;

const PREFIX = 'Lightning Signed Message:';
const SIGNATURE_CHARACTERS = 104;
/** 27 to 30 would mean an uncompressed key, which no node id is. */
const FIRST_HEADER_BYTE = 31;
const RECOVERY_IDS = [0, 1, 2, 3] as const;

type RecoveryId = (typeof RECOVERY_IDS)[number];

interface Recoverable {
  readonly recoveryId: RecoveryId;
  /** r and s, 32 bytes each. */
  readonly compact: Uint8Array;
}

/**
 * The node id from this list, in lower case, that made the signature; undefined if none did.
 *
 * A high s passes, as everywhere in Lightning: (r, n - s, id ^ 1) recovers the same key, so a new signature text does
 * not prove a new call.
 */
export function findSigner(
  message: Uint8Array,
  signature: string,
  nodeIds: readonly string[],
): string | undefined {
  const signer = recoverSigner(message, signature);
  return nodeIds.some((nodeId) => nodeId.toLowerCase() === signer) ? signer : undefined;
}

/**
 * The node id, or wallet key, that signed, in lower case hex, where it is not known beforehand; undefined
 * if the signature is malformed. It costs a fifth of a millisecond: limit the callers before.
 */
export function recoverSigner(message: Uint8Array, signature: string): string | undefined {
  const recoverable = decodeRecoverable(signature);
  if (recoverable === undefined) return undefined;
  const once = createHash('sha256').update(PREFIX).update(message).digest();
  const digest = createHash('sha256').update(once).digest();
  curve ??= load('tiny-secp256k1');
  try {
    const key = curve.recover(digest, recoverable.compact, recoverable.recoveryId, true);
    return key === null ? undefined : Buffer.from(key).toString('hex');
  } catch {
    // r or s is zero or too large, or no point of the curve has this r.
    return undefined;
  }
}

/** Whether the text can be a signature at all; this check is cheap. */
export function isSignature(text: string): boolean {
  return decodeRecoverable(text) !== undefined;
}

function decodeRecoverable(signature: string): Recoverable | undefined {
  if (signature.length !== SIGNATURE_CHARACTERS) return undefined;
  const [header = 0, ...compact] = decodeZbase32(signature) ?? [];
  const recoveryId = RECOVERY_IDS.find((id) => id === header - FIRST_HEADER_BYTE);
  if (recoveryId === undefined) return undefined;
  return { recoveryId, compact: Uint8Array.from(compact) };
}

// Signed messages of Lightning nodes (LND's `signmessage`, which bLIP-50 demands as `ln_signature`):
// zbase32(31 + recovery id, r, s) over SHA-256(SHA-256("Lightning Signed Message:" + message)).

import { createHash, createPublicKey, verify } from 'node:crypto';
import { createRequire } from 'node:module';
import { decodeZbase32 } from './encoding.ts';

const load: (name: string) => typeof import('@noble/curves/secp256k1.js') = createRequire(
  import.meta.url,
);
/** Loaded for the first signature: it takes 11 MB, and most services never see one. */
let curve: ReturnType<typeof load>['secp256k1'] | undefined;

const PREFIX = 'Lightning Signed Message:';
const SIGNATURE_CHARACTERS = 104;
/** 27 to 30 would mean an uncompressed key, which no node id is. */
const FIRST_HEADER_BYTE = 31;
const RECOVERY_IDS = 4;

/** SubjectPublicKeyInfo of a compressed secp256k1 point, up to the point itself. */
const SPKI_HEAD = Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex');
const NODE_ID = /^0[23][0-9a-f]{64}$/i;

interface Recoverable {
  readonly recoveryId: number;
  /** r and s, 32 bytes each. */
  readonly compact: Uint8Array;
}

/**
 * The one of the node ids, in lower case, to which the signature recovers; undefined if there is none.
 *
 * A high s passes, as everywhere in Lightning: (r, n - s, id ^ 1) recovers the same key, so a text of a
 * signature is no proof of a first call.
 *
 * OpenSSL looks first. What recovers to a key verifies under it (the recovered key is the Q that solves
 * s·R = z·G + r·Q), so nothing good is lost, and a forgery costs a quarter of a recovery. It does not
 * look at the recovery id, though: only the recovery itself distinguishes R from -R.
 */
export function findSigner(
  message: Uint8Array,
  signature: string,
  nodeIds: readonly string[],
): string | undefined {
  const recoverable = decodeRecoverable(signature);
  if (recoverable === undefined) return undefined;
  const once = createHash('sha256').update(PREFIX).update(message).digest();
  if (!nodeIds.some((nodeId) => verifies(nodeId, once, recoverable))) return undefined;
  const signer = recover(once, recoverable);
  return nodeIds.some((nodeId) => nodeId.toLowerCase() === signer) ? signer : undefined;
}

/**
 * The node id, or wallet key, that signed, in lower case hex, where it is not known beforehand; undefined
 * if the signature is malformed. It costs a recovery: limit the callers before.
 */
export function recoverSigner(message: Uint8Array, signature: string): string | undefined {
  const recoverable = decodeRecoverable(signature);
  if (recoverable === undefined) return undefined;
  return recover(createHash('sha256').update(PREFIX).update(message).digest(), recoverable);
}

/** Whether the text can be a signature at all, which costs nothing to see. */
export function isSignature(text: string): boolean {
  return decodeRecoverable(text) !== undefined;
}

function decodeRecoverable(signature: string): Recoverable | undefined {
  if (signature.length !== SIGNATURE_CHARACTERS) return undefined;
  const [header = 0, ...compact] = decodeZbase32(signature) ?? [];
  const recoveryId = header - FIRST_HEADER_BYTE;
  if (recoveryId < 0 || recoveryId >= RECOVERY_IDS) return undefined;
  return { recoveryId, compact: Uint8Array.from(compact) };
}

/** OpenSSL hashes once more by itself: `once` is the inner one of the two. */
function verifies(nodeId: string, once: Uint8Array, { compact }: Recoverable): boolean {
  if (!NODE_ID.test(nodeId)) return false;
  try {
    const der = Buffer.concat([SPKI_HEAD, Buffer.from(nodeId, 'hex')]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify('sha256', once, { key, dsaEncoding: 'ieee-p1363' }, compact);
  } catch {
    // Not a point of the curve.
    return false;
  }
}

function recover(once: Uint8Array, { recoveryId, compact }: Recoverable): string | undefined {
  const digest = createHash('sha256').update(once).digest();
  const signature = Uint8Array.of(recoveryId, ...compact);
  try {
    curve ??= load('@noble/curves/secp256k1.js').secp256k1;
    const key = curve.recoverPublicKey(signature, digest, { prehash: false });
    return Buffer.from(key).toString('hex');
  } catch {
    // No point of the curve has this r under this recovery id.
    return undefined;
  }
}

// Encryption at rest: AES-256-GCM with a random 96-bit nonce. A sealed value is
// key id (8 bytes) | nonce (12) | tag (16) | ciphertext, bound to its context by the associated data.
// Random nonces allow 2^32 seals under one key (NIST SP 800-38D, 8.3): a million a day for eleven years.

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';

export const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES;
const KEY_ID_LABEL = 'nds encryption key id\n';

/** Names a key and reveals nothing about it. */
export function keyIdOf(key: Uint8Array): Buffer {
  return createHash('sha256').update(KEY_ID_LABEL).update(key).digest().subarray(0, KEY_ID_BYTES);
}

export class Sealer {
  readonly keyId: Buffer;
  readonly #key: KeyObject;

  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key must have ${KEY_BYTES} bytes`);
    this.#key = createSecretKey(key);
    this.keyId = keyIdOf(key);
  }

  /** `context` says what the value belongs to; with another context it cannot be opened. */
  seal(plain: Uint8Array, context: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce);
    cipher.setAAD(Buffer.from(context));
    const text = cipher.update(plain);
    cipher.final();
    return Buffer.concat([this.keyId, nonce, cipher.getAuthTag(), text]);
  }

  /** Undefined if it was sealed under another key or for another context, or is damaged. */
  open(sealed: Uint8Array, context: string): Buffer | undefined {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (bytes.length < HEAD_BYTES || !bytes.subarray(0, KEY_ID_BYTES).equals(this.keyId)) {
      return undefined;
    }
    const nonce = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce);
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(KEY_ID_BYTES + NONCE_BYTES, HEAD_BYTES));
    const plain = decipher.update(bytes.subarray(HEAD_BYTES));
    try {
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

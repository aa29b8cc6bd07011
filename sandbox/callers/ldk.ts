// An LSP on LDK's lightning-liquidity (rust-lightning, lightning-liquidity/src/lsps5): signs with its node key, writes
// times as chrono's to_rfc3339 does, with `+00:00` and nine digits, and counts exactly 200.

import { createHash } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { codec } from 'rfc4648';
import type { CallerAnswer } from './answer.ts';
import { createReadingClient } from './reading-client.ts';

const TIMEOUT_MS = 30_000;
const ZBASE32 = { chars: 'ybndrfg8ejkmcpqxot1uwisza345h769', bits: 5 };
/** A compressed key: 27 for any, 4 for compressed. */
const COMPRESSED = 31;

export interface Ldk {
  /** The node id that a device has to name as its LSP. */
  readonly nodeId: string;
  paymentIncoming(url: string): Promise<CallerAnswer & { readonly timestamp: string }>;
  close(): void;
}

/** The secret key has 32 bytes. */
export function createLdk(secretKey: Uint8Array): Ldk {
  const client = createReadingClient();
  let calls = 0;
  return {
    nodeId: Buffer.from(secp256k1.getPublicKey(secretKey)).toString('hex'),
    async paymentIncoming(url) {
      calls += 1;
      const body = JSON.stringify({ jsonrpc: '2.0', method: 'lsps5.payment_incoming', params: {} });
      const timestamp = toRfc3339(Date.now(), calls);
      const message = `LSPS5: DO NOT SIGN THIS MESSAGE MANUALLY: LSP: At ${timestamp} I notify ${body}`;
      const answer = await client.post({
        url,
        body,
        headers: {
          'x-lsps5-timestamp': timestamp,
          'x-lsps5-signature': signMessage(message, secretKey),
        },
        timeoutMs: TIMEOUT_MS,
      });
      return { ...answer, timestamp };
    },
    close: client.close,
  };
}

/** JavaScript has milliseconds; the six digits after them make two calls in the same millisecond differ. */
function toRfc3339(unixMs: number, nanoseconds: number): string {
  const digits = String(nanoseconds % 1_000_000).padStart(6, '0');
  return new Date(unixMs).toISOString().replace('Z', `${digits}+00:00`);
}

/** As `lncli signmessage`: zbase32 of recovery id, r and s. */
function signMessage(message: string, secretKey: Uint8Array): string {
  const once = createHash('sha256').update(`Lightning Signed Message:${message}`).digest();
  const digest = createHash('sha256').update(once).digest();
  const signature = secp256k1.sign(digest, secretKey, { prehash: false, format: 'recovered' });
  const [recoveryId = 0, ...rest] = signature;
  return codec.stringify(Uint8Array.of(COMPRESSED + recoveryId, ...rest), ZBASE32);
}

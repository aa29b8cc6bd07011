// A wallet that registers itself: it signs its registration with its node key, as every Lightning SDK signs a message,
// and sends the signature with it.

import { createHash } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { fromZbase32, nodeIdOf, signLightning, zbase32 } from '../sources/calls.ts';
import type { Call } from './callers.ts';
import { DEVICES } from './device-calls.ts';
import { EXTERNAL_URL } from './service.ts';

export interface Wallet {
  readonly secretKey: Uint8Array;
  /** Compressed, in hex: the wallet's user. */
  readonly publicKey: string;
  /** zbase32 of recovery id + 31, r and s. */
  sign(message: string): string;
}

export function createWallet(seed: number): Wallet {
  const secretKey = createHash('sha256').update(`wallet ${seed}`).digest();
  return {
    secretKey,
    publicKey: nodeIdOf(secretKey),
    sign: (message) => zbase32(signLightning(message, secretKey)),
  };
}

/**
 * The text that a wallet signs. It is built here separately, because the service's own function cannot prove itself.
 */
export function messageToSign(origin: string, unixSeconds: number | string, body: string): string {
  const digest = createHash('sha256').update(body).digest('hex');
  return `nds-register-v1 ${origin} ${unixSeconds} ${digest}`;
}

/** A registration that the wallet signed, ready to be sent or changed. */
export function selfRegistration(
  wallet: Wallet,
  signed: {
    readonly body: object | string;
    readonly unixSeconds: number;
    readonly origin?: string;
  },
): Call & { readonly headers: Record<string, string>; readonly body: string } {
  const { unixSeconds, origin = EXTERNAL_URL } = signed;
  const body = typeof signed.body === 'string' ? signed.body : JSON.stringify(signed.body);
  return {
    method: 'POST',
    path: DEVICES,
    headers: {
      'content-type': 'application/json',
      'x-nds-time': String(unixSeconds),
      'x-nds-signature': wallet.sign(messageToSign(origin, unixSeconds, body)),
    },
    body,
  };
}

/** The other form of the same signature: s becomes n - s, and the recovery id's parity changes. */
export function malleate(signature: string): string {
  const bytes = fromZbase32(signature);
  const s = BigInt(`0x${Buffer.from(bytes.slice(33)).toString('hex')}`);
  const other = (secp256k1.Point.Fn.ORDER - s).toString(16).padStart(64, '0');
  const head = 31 + (((bytes[0] ?? 31) - 31) ^ 1);
  return zbase32(Uint8Array.of(head, ...bytes.slice(1, 33), ...Buffer.from(other, 'hex')));
}

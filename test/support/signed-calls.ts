// Signed webhooks as each caller sends them: a body, and a header that fits the body and the secret.

import { createHmac } from 'node:crypto';
import { signLightning, zbase32 } from '../sources/calls.ts';
import type { Call } from './callers.ts';

export interface SignedCall extends Call {
  readonly headers: Record<string, string>;
  readonly body: string;
}

export const hmacHex = (secret: string, message: string): string =>
  createHmac('sha256', secret).update(message).digest('hex');

interface Addressed {
  /** The path of the door, with the handle. */
  readonly path: string;
  readonly secret: string;
  /** Makes this event different from others. */
  readonly id?: string;
}

function signed(path: string, headers: Record<string, string>, body: string): SignedCall {
  return { path, headers: { 'content-type': 'application/json', ...headers }, body };
}

export function resmicCall({ path, secret, id = 'session-1' }: Addressed): SignedCall {
  const body = JSON.stringify({ session_id: id, status: true, amount: '20', token: 'DAI' });
  return signed(path, { 'x-signature': hmacHex(secret, body) }, body);
}

export function paymentEventBody(id: string): string {
  const object = { id: `pay-${id}`, amount: 100, currency: 'usd', status: 'succeeded' };
  return JSON.stringify({ id, type: 'payment.succeeded', data: { object } });
}

export function paymentflowCall({ path, secret, id = 'event-1' }: Addressed): SignedCall {
  const body = paymentEventBody(id);
  return signed(path, { 'PaymentFlow-Signature': hmacHex(secret, body) }, body);
}

export function paymentApiCall({ path, secret, id = 'event-1' }: Addressed): SignedCall {
  const body = paymentEventBody(id);
  return signed(path, { 'Payment-Signature': hmacHex(secret, body) }, body);
}

export function sparkSspCall({ path, secret, id = 'transfer-1' }: Addressed): SignedCall {
  const body = JSON.stringify({
    id,
    network: 'MAINNET',
    request_status: 'SUCCEEDED',
    status: 'TRANSFER_COMPLETED',
    type: 'SPARK_LIGHTNING_SEND_FINISHED',
    timestamp: '2025-08-01T11:59:56Z',
    invoice_amount: { value: 50_000, unit: 'SATOSHI' },
  });
  return signed(path, { 'X-Spark-Signature': hmacHex(secret, body) }, body);
}

export function epayCall({ path, id = 'reference-1' }: Omit<Addressed, 'secret'>): SignedCall {
  const transaction = { reference: id, status: 'success', amount: '10.00' };
  return signed(path, {}, JSON.stringify({ success: true, transaction }));
}

/** Standard Webhooks 1.0.0, scheme v1. */
export function standardCall(
  { path, secret, id = 'msg_1' }: Addressed,
  {
    nowMs,
    body = '{"type":"payment.succeeded"}',
  }: { readonly nowMs: number; readonly body?: string },
): SignedCall {
  const seconds = String(Math.floor(nowMs / 1_000));
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${signature}`,
  };
  return signed(path, headers, body);
}

/** bLIP-55, signed with a node's key. */
export function lsps5Call(
  { path, secretKey }: { readonly path: string; readonly secretKey: Uint8Array },
  {
    atMs,
    method = 'lsps5.payment_incoming',
    params = {},
  }: { readonly atMs: number; readonly method?: string; readonly params?: object },
): SignedCall {
  const body = JSON.stringify({ jsonrpc: '2.0', method, params });
  const timestamp = new Date(atMs).toISOString();
  const message = `LSPS5: DO NOT SIGN THIS MESSAGE MANUALLY: LSP: At ${timestamp} I notify ${body}`;
  const headers = {
    'x-lsps5-timestamp': timestamp,
    'x-lsps5-signature': zbase32(signLightning(message, secretKey)),
  };
  return signed(path, headers, body);
}

/** The Breez LNURL server, for a wallet of a domain. */
export function sparkPaymentCall({
  path,
  secret,
  user,
  id = 'aa'.repeat(32),
}: Addressed & { readonly user: string }): SignedCall {
  const body = JSON.stringify({
    template: 'spark_payment_received',
    data: {
      payment_hash: id,
      user_pubkey: user,
      invoice: 'lnbc500u1pexample',
      preimage: '07'.repeat(32),
      amount_sat: 50_000,
      timestamp: 1_754_049_596_000,
    },
  });
  return signed(path, { 'X-Breez-Signature': hmacHex(secret, body) }, body);
}

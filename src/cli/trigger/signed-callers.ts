// The callers of the signed doors: what each one posts and how it signs.

import { randomBytes } from 'node:crypto';
import { type CallOptions, JSON_TYPE, type TriggerCaller, TriggerError } from './caller.ts';
import { hmacHex, lightningSignature, nodeIdOf, standardSignature } from './sign.ts';

export const LSPS5: TriggerCaller = {
  types: [
    'lsps5.payment_incoming',
    'lsps5.webhook_registered',
    'lsps5.expiry_soon',
    'lsps5.liquidity_management_request',
    'lsps5.onion_message_incoming',
  ],
  secret: 'optional',
  succeeds: 'exactly 200',
  call: ({ type, secret, nowMs }) => {
    const key = secret === '' ? randomBytes(32) : nodeKeyOf(secret);
    const params = type === 'lsps5.expiry_soon' ? { timeout: 900_000 } : {};
    const body = JSON.stringify({ jsonrpc: '2.0', method: type, params });
    // The format of lightning-liquidity: nine digits and an offset.
    const timestamp = new Date(nowMs).toISOString().replace('Z', '000000+00:00');
    const signed = `LSPS5: DO NOT SIGN THIS MESSAGE MANUALLY: LSP: At ${timestamp} I notify ${body}`;
    return {
      headers: {
        ...JSON_TYPE,
        'x-lsps5-timestamp': timestamp,
        'x-lsps5-signature': lightningSignature(key, signed),
      },
      body,
      note: `node ${nodeIdOf(key)} must be among the device’s lsp_node_ids`,
    };
  },
};

function nodeKeyOf(secret: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(secret)) return Buffer.from(secret, 'hex');
  throw new TriggerError('the secret must be the node’s key: 64 hex digits');
}

/** Most payment services: the HMAC-SHA256 of the body in hex, in a header of their own. */
function hmacCaller(
  header: string,
  {
    types,
    source,
    body,
  }: {
    readonly types: readonly string[];
    readonly source: string;
    readonly body: (type: string, options: CallOptions) => object;
  },
): TriggerCaller {
  return {
    types,
    source,
    secret: 'required',
    succeeds: 'any 2xx',
    call: (options) => {
      const text = JSON.stringify(body(options.type, options));
      const headers = { ...JSON_TYPE, [header]: hmacHex(options.secret, text) };
      return { headers, body: text, subject: options.id };
    },
  };
}

export function paymentEvents(source: string, header: string): TriggerCaller {
  return hmacCaller(header, {
    source,
    types: ['payment.succeeded', 'payment.failed', 'refund.created'],
    body: (type, { id }) => {
      const status = type.slice(type.indexOf('.') + 1);
      const object = { id, amount: 2_500, currency: 'usd', status };
      return { id: `evt_${id.slice(0, 24)}`, type, data: { object } };
    },
  });
}

export const SPARK_SSP = hmacCaller('X-Spark-Signature', {
  source: 'spark_ssp',
  types: [
    'SPARK_LIGHTNING_RECEIVE_FINISHED',
    'SPARK_LIGHTNING_SEND_FINISHED',
    'SPARK_COOP_EXIT_FINISHED',
    'SPARK_STATIC_DEPOSIT_FINISHED',
  ],
  body: (type, { id, nowMs }) => ({
    id,
    created_at: new Date(nowMs).toISOString(),
    updated_at: new Date(nowMs).toISOString(),
    network: 'REGTEST',
    request_status: 'SUCCEEDED',
    status: 'TRANSFER_COMPLETED',
    type,
    timestamp: new Date(nowMs).toISOString(),
  }),
});

export const SPARK_PAYMENT_RECEIVED = hmacCaller('X-Breez-Signature', {
  source: 'spark_payment_received',
  types: ['spark_payment_received'],
  body: (template, { id, nowMs, user = `02${id}` }) => ({
    template,
    data: {
      payment_hash: id,
      user_pubkey: user,
      invoice: 'lnbcrt500u1ptrigger',
      preimage: '07'.repeat(32),
      amount_sat: 50_000,
      timestamp: nowMs,
    },
  }),
});

export const RESMIC = hmacCaller('X-Signature', {
  source: 'resmic',
  types: ['payment_succeeded', 'payment_failed'],
  body: (type, { id }) => ({
    session_id: id,
    status: type === 'payment_succeeded',
    amount: '20',
    blockchain: 'Ethereum',
    token: 'DAI',
  }),
});

export const EPAY: TriggerCaller = {
  types: ['payment_succeeded', 'payment_failed'],
  succeeds: 'exactly 200',
  call: ({ type, id }) => {
    const success = type === 'payment_succeeded';
    const status = success ? 'success' : 'failed';
    const transaction = { reference: id, status, amount: '10.00' };
    return { headers: JSON_TYPE, body: JSON.stringify({ success, transaction }), subject: id };
  },
};

export function standard(prefix: 'webhook' | 'svix'): TriggerCaller {
  return {
    types: ['payment.succeeded'],
    anyType: true,
    source: 'standard',
    secret: 'required',
    succeeds: 'any 2xx',
    call: ({ type, id, secret, nowMs }) => {
      const seconds = String(Math.floor(nowMs / 1_000));
      const message = `msg_${id.slice(0, 24)}`;
      const body = JSON.stringify({ type, timestamp: new Date(nowMs).toISOString(), data: {} });
      return {
        headers: {
          ...JSON_TYPE,
          [`${prefix}-id`]: message,
          [`${prefix}-timestamp`]: seconds,
          [`${prefix}-signature`]: standardSignature(secret, `${message}.${seconds}.${body}`),
        },
        body,
        subject: message,
      };
    },
  };
}

// What the description of the API says about the built-in sources. Their bodies are the schemas that validate calls; a
// generic source is known only to its vendor and is not described.

import { z } from 'zod';
import type {
  DescribedBody,
  DescribedCalls,
  DescribedSource,
} from '../core/ports/source-description.ts';
import { createSources } from './all-sources.ts';
import { breezBodies } from './breez.ts';
import { epayBody } from './epay.ts';
import { LSPS5_DEFAULTS, lsps5Body } from './lsps5.ts';
import { nwcRequest } from './nostr-event.ts';
import { paymentEventBody } from './payment-events.ts';
import { resmicBody } from './resmic.ts';
import { sparkPaymentReceivedBody } from './spark-payment-received.ts';
import { sparkSspBody } from './spark-ssp.ts';
import { standardEvent } from './standard-webhooks.ts';

const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const PREIMAGE = '07'.repeat(32);
const HMAC = 'HMAC-SHA256 of the body in hex.';

type Description = Omit<DescribedSource, 'name' | 'statuses'>;

/** Built at the first request for the description: it takes milliseconds. */
export function describeCalls(): DescribedCalls {
  const descriptions = describeSources();
  const sources = createSources({ lsps5: LSPS5_DEFAULTS, generic: [] });
  return {
    breez: describeBreez(),
    sources: [...sources.values()].flatMap(({ name, statuses }) => {
      const description = descriptions[name];
      return description === undefined ? [] : [{ name, statuses, ...description }];
    }),
  };
}

function describeBreez(): DescribedBody {
  const bodies = Object.entries(breezBodies()).map(([title, body]) => body.meta({ title }));
  const event = nwcRequest.meta({ title: 'a Nostr event of kind 23194 by itself' });
  return {
    schema: z.union([...bodies, event]).meta({ id: 'BreezCall' }),
    examples: {
      payment_received: { template: 'payment_received', data: { payment_hash: HASH } },
      lnurlpay_invoice: {
        template: 'lnurlpay_invoice',
        data: { amount: 50_000, reply_url: 'https://lnurl.example.com/response/1' },
      },
      'swap.update': { event: 'swap.update', data: { id: 'x9PBPMzSWkjs', status: 'invoice.set' } },
      'invoice.request': {
        event: 'invoice.request',
        data: { offer: 'lno1qcp4256ypq', invoiceRequest: 'lnr1qqgz2d7u2smys' },
      },
    },
  };
}

function describeSources(): Readonly<Record<string, Description>> {
  return {
    lsps5: {
      caller: 'an LSP by bLIP-55 (LSPS5)',
      schema: lsps5Body,
      headers: {
        'x-lsps5-timestamp': 'When it was signed, RFC 3339.',
        'x-lsps5-signature': 'The signature of the LSP’s node key, zbase32.',
      },
      isTimed: true,
      examples: {
        payment_incoming: { jsonrpc: '2.0', method: 'lsps5.payment_incoming', params: {} },
      },
    },
    spark_ssp: {
      caller: 'the Spark service provider',
      schema: sparkSspBody(),
      headers: { 'x-spark-signature': HMAC },
      isTimed: false,
      examples: {
        lightning_receive: {
          id: '018677b5',
          network: 'MAINNET',
          request_status: 'SUCCEEDED',
          status: 'TRANSFER_COMPLETED',
          type: 'SPARK_LIGHTNING_RECEIVE_FINISHED',
          timestamp: '2025-08-01T11:59:56Z',
          payment_preimage: PREIMAGE,
          htlc_amount: { value: 50_000, unit: 'SATOSHI' },
        },
      },
    },
    spark_payment_received: {
      caller: 'the Breez LNURL server, for all users of a domain',
      schema: sparkPaymentReceivedBody,
      headers: { 'x-breez-signature': HMAC },
      isTimed: false,
      examples: {
        payment: {
          template: 'spark_payment_received',
          data: {
            payment_hash: HASH,
            user_pubkey: '027754b4fa0e8aced06d4167a2c59cca4cda1869c06ebadfb6488550015a88522c',
            invoice: 'lnbc500u1pexample',
            preimage: PREIMAGE,
            amount_sat: 50_000,
            timestamp: 1_754_049_596_000,
          },
        },
      },
    },
    standard: {
      caller: 'any sender of Standard Webhooks; Svix’s names of the headers are accepted, too',
      schema: z.union([standardEvent, ...Object.values(breezBodies())]),
      headers: {
        'webhook-id': 'What makes a repeat.',
        'webhook-timestamp': 'Unix time in seconds.',
        'webhook-signature': 'One or more signatures, such as `v1,…`.',
      },
      isTimed: true,
      examples: {
        event: {
          type: 'payment.succeeded',
          timestamp: '2025-08-01T11:59:58Z',
          data: { payment_id: 'p_1' },
        },
      },
    },
    resmic: {
      caller: 'Resmic Pro',
      schema: resmicBody,
      headers: { 'x-signature': HMAC },
      isTimed: false,
      examples: {
        success: { session_id: '591abe63', status: true, amount: '20', token: 'DAI' },
      },
    },
    paymentflow: paymentEvents('PaymentFlow', 'paymentflow-signature'),
    payment_api: paymentEvents('Payment API', 'payment-signature'),
    epay: {
      caller: 'Epay, which signs nothing',
      schema: epayBody,
      headers: {},
      isTimed: false,
      examples: {
        success: {
          success: true,
          transaction: { reference: 'EP-XSks6NGSvtd', status: 'success', amount: '1' },
        },
      },
    },
  };
}

function paymentEvents(caller: string, header: string): Description {
  const object = { id: 'pay_1', amount: 2_999, currency: 'usd', status: 'succeeded' };
  return {
    caller,
    schema: paymentEventBody,
    headers: { [header]: HMAC },
    isTimed: false,
    examples: { succeeded: { id: 'evt_1', type: 'payment.succeeded', data: { object } } },
  };
}

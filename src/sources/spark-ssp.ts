// The Spark service provider: each wallet registers URL, secret and event types, and is told when a
// payment, a withdrawal or a deposit has come to its end.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, exactInteger, IGNORED, requiredString } from './body.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { type HmacScheme, requireHmac } from './signatures/hmac.ts';

const SCHEME: HmacScheme = {
  header: 'x-spark-signature',
  algorithm: 'sha256',
  encoding: 'hex',
  prefix: '',
};
const REPEAT_WINDOW_MS = 7 * 24 * 3_600_000;

/** The statuses are opaque, but these endings, as in LIGHTNING_PAYMENT_FAILED, must not read as success. */
const FAILED = /(?:^|_)(?:FAILED|CANCELL?ED)$/i;

const value = exactInteger(2n ** 64n - 1n);
const amount = z.object({ value, unit: requiredString }, 'is required: value and unit');
const outputIndex = exactInteger(2n ** 32n - 1n);
const preimageHash = z
  .string('is required: a string')
  .regex(/^[0-9a-f]{64}$/i, 'must be 32 bytes in hex')
  .transform((hex) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex'));

/** Name in the push, name in the event, and what it has to be. */
type Detail = readonly [name: string, from: string, schema: z.ZodType<unknown>];

/**
 * What a push says about the money, by type. Fees, invoices, addresses and preimages are nothing that
 * Apple and Google need to know.
 */
const DETAILS: Readonly<Record<string, readonly Detail[]>> = {
  SPARK_LIGHTNING_RECEIVE_FINISHED: [
    ['amount', 'htlc_amount', amount],
    ['payment_hash', 'payment_preimage', preimageHash],
  ],
  SPARK_LIGHTNING_SEND_FINISHED: [['amount', 'invoice_amount', amount]],
  SPARK_COOP_EXIT_FINISHED: [
    ['amount', 'total_amount', amount],
    ['transaction_id', 'coop_exit_txid', requiredString],
  ],
  SPARK_STATIC_DEPOSIT_FINISHED: [
    ['amount', 'credit_amount', amount],
    ['transaction_id', 'transaction_id', requiredString],
    ['output_index', 'output_index', outputIndex],
  ],
};

interface Reader {
  readonly details: readonly Detail[];
  readonly finished: z.ZodType<Readonly<Record<string, unknown>>>;
  /** What has failed may lack what never came to be. */
  readonly failed: z.ZodType<Readonly<Record<string, unknown>>>;
}

const READERS: ReadonlyMap<string, Reader> = new Map(
  Object.entries(DETAILS).map(([type, details]) => {
    const finished = details.map(([, from, schema]) => [from, schema] as const);
    const failed = details.map(([, from, schema]) => [from, schema.nullish()] as const);
    return [
      type,
      {
        details,
        finished: z.object(Object.fromEntries(finished)),
        failed: z.object(Object.fromEntries(failed)),
      },
    ];
  }),
);

const typed = z.object({ type: requiredString });
const common = z.object({
  id: requiredString,
  network: requiredString,
  request_status: requiredString,
  status: requiredString,
  timestamp: requiredString,
  type: requiredString,
});

export const sparkSsp: Source = {
  name: 'spark_ssp',
  statuses: {},

  authenticate(request, { secrets }) {
    requireHmac(request, SCHEME, { secrets, messages: [request.body] });
  },

  parse(request) {
    const body = parseExactJson(decodeBody(request.body));
    const { type } = checkBody(typed, body);
    const reader = READERS.get(type);
    if (reader === undefined) return IGNORED;
    const fields = checkBody(common, body);
    const hasFailed = FAILED.test(fields.request_status) || FAILED.test(fields.status);
    const found = checkBody(hasFailed ? reader.failed : reader.finished, body);
    const details = Object.fromEntries(reader.details.map(([name, from]) => [name, found[from]]));
    return {
      kind: 'notification',
      notification: {
        type: type.toLowerCase(),
        payload: deepPayloadOf({ ...fields, ...details }),
        subject: text(details.payment_hash) ?? text(details.transaction_id) ?? fields.id,
        duplicateOf: { key: JSON.stringify([fields.id, type]), windowMs: REPEAT_WINDOW_MS },
        ...(hasFailed ? { title: 'Payment failed' } : {}),
      },
    };
  },
};

function text(found: unknown): string | undefined {
  return typeof found === 'string' ? found : undefined;
}

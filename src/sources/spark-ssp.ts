// The Spark service provider: each wallet registers a URL, a secret and event types. It is called when a
// payment, a withdrawal or a deposit has ended.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, exactInteger, IGNORED, optionalString, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { hexSha256In, requireHmac } from './signatures/hmac.ts';
import { REPEAT_WINDOW_MS } from './time.ts';

const SCHEME = hexSha256In('x-spark-signature');

/** The statuses are opaque, but these endings, as in LIGHTNING_PAYMENT_FAILED, must not read as success. */
const FAILED = /(?:^|_)(?:FAILED|CANCELL?ED)$/i;

const value = exactInteger(2n ** 64n - 1n);
const amount = z.object({ value, unit: requiredString }, 'must be value and unit').nullish();
const outputIndex = exactInteger(2n ** 32n - 1n).nullish();
const preimageHash = z
  .string('must be a string')
  .regex(/^[0-9a-fA-F]{64}$/, 'must be 32 bytes in hex')
  .transform((hex) => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex'))
  .nullish();

/** Name in the push, name in the event, and what it has to be. */
type Detail = readonly [name: string, from: string, schema: z.ZodType<unknown>];

/**
 * What a push says about the money, by type; each may be absent or null, as the Breez LNURL server, which
 * also receives these events, reads them. Apple and Google need no fees, invoices, addresses and preimages.
 */
const DETAILS: Readonly<Record<string, readonly Detail[]>> = {
  SPARK_LIGHTNING_RECEIVE_FINISHED: [
    ['amount', 'htlc_amount', amount],
    ['payment_hash', 'payment_preimage', preimageHash],
  ],
  SPARK_LIGHTNING_SEND_FINISHED: [['amount', 'invoice_amount', amount]],
  SPARK_COOP_EXIT_FINISHED: [
    ['amount', 'total_amount', amount],
    ['transaction_id', 'coop_exit_txid', optionalString],
  ],
  SPARK_STATIC_DEPOSIT_FINISHED: [
    ['amount', 'credit_amount', amount],
    ['transaction_id', 'transaction_id', optionalString],
    ['output_index', 'output_index', outputIndex],
  ],
};

const typed = z.object({ type: requiredString });
/** All fields that are read of any event. */
export const sparkSspBody = (): z.ZodType => {
  const details = Object.values(DETAILS).flat();
  return common.extend(Object.fromEntries(details.map(([, from, schema]) => [from, schema])));
};
/** Only id and type are always present. */
const common = z.object({
  id: requiredString,
  network: optionalString,
  request_status: optionalString,
  status: optionalString,
  timestamp: optionalString,
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
    if (!Object.hasOwn(DETAILS, type)) return IGNORED;
    const fields = checkBody(common, body);
    const details = detailsOf(DETAILS[type] ?? [], body);
    const hasFailed = [fields.request_status, fields.status].some((status) =>
      FAILED.test(status ?? ''),
    );
    return {
      kind: 'notification',
      notification: {
        type: type.toLowerCase(),
        payload: deepPayloadOf({ ...fields, ...details }),
        subject: text(details.payment_hash) ?? text(details.transaction_id) ?? fields.id,
        duplicateOf: { key: JSON.stringify([fields.id, type]), windowMs: REPEAT_WINDOW_MS },
        title: hasFailed ? 'Payment failed' : undefined,
      },
    };
  },
};

function detailsOf(details: readonly Detail[], body: unknown): Readonly<Record<string, unknown>> {
  const schema = z.object(Object.fromEntries(details.map(([, from, schema]) => [from, schema])));
  const found: Readonly<Record<string, unknown>> = checkBody(schema, body);
  return Object.fromEntries(details.map(([name, from]) => [name, found[from]]));
}

function text(found: unknown): string | undefined {
  return typeof found === 'string' && found !== '' ? found : undefined;
}

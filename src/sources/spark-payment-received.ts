// The Breez LNURL server: one URL and one secret per domain, and the device is found by the wallet's key.
// It repeats what is not answered 2xx for 90 days and holds back the domain's other payments until then.

import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, exactInteger, IGNORED, optionalString, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { PERMANENT_AS_200 } from './permanent.ts';
import { hexSha256In, requireHmac } from './signatures/hmac.ts';

const SCHEME = hexSha256In('x-breez-signature');
const TEMPLATE = 'spark_payment_received';
/** As long as the server repeats: body and signature stay the same, so age is no reason to refuse. */
const BREEZ_REPEAT_WINDOW_MS = 90 * 24 * 3_600_000;

const unsigned64 = exactInteger(2n ** 64n - 1n);
const named = z.object({ template: requiredString });
const envelope = z.object({
  data: z.object(
    {
      payment_hash: requiredString,
      user_pubkey: requiredString,
      invoice: requiredString,
      preimage: requiredString,
      amount_sat: unsigned64.nullish(),
      lightning_address: optionalString,
      sender_comment: optionalString,
      timestamp: unsigned64,
    },
    'is required: a JSON object',
  ),
});

export const sparkPaymentReceivedBody = named.extend(envelope.shape);

export const sparkPaymentReceived: Source = {
  name: 'spark_payment_received',

  /**
   * Failures that a repeat cannot change are answered 200, because the domain's next payment would wait behind them.
   */
  statuses: { ...PERMANENT_AS_200, unknown_user: 200 },

  authenticate(request, { secrets }) {
    requireHmac(request, SCHEME, { secrets, messages: [request.body] });
  },

  parse(request) {
    const body = parseExactJson(decodeBody(request.body));
    if (checkBody(named, body).template !== TEMPLATE) return IGNORED;
    // Apple and Google need no proof of payment.
    const { invoice: _invoice, preimage: _preimage, ...shown } = checkBody(envelope, body).data;
    return {
      kind: 'notification',
      user: shown.user_pubkey,
      notification: {
        type: TEMPLATE,
        payload: deepPayloadOf(shown),
        subject: shown.payment_hash,
        duplicateOf: {
          key: JSON.stringify([shown.user_pubkey, shown.payment_hash]),
          windowMs: BREEZ_REPEAT_WINDOW_MS,
        },
      },
    };
  },
};

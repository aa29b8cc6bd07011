// Resmic Pro: crypto checkouts, one call per payment session. Its `token` is a coin, never a push token. Its
// guide signs the body after parsing and serialising it again, not the bytes.

import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, optionalString, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseJson } from './json.ts';
import { hexSha256In, requireHmac } from './signatures/hmac.ts';
import { jsonReadings } from './signatures/signed-readings.ts';
import { REPEAT_WINDOW_MS } from './time.ts';

const NAME = 'resmic';
const SCHEME = hexSha256In('x-signature');

/** The payer's wallet address is not read: it stays out of the push. */
export const resmicBody = z.object({
  session_id: requiredString,
  // A text "false" would be truthy.
  status: z.boolean('is required: true or false'),
  amount: optionalString,
  blockchain: optionalString,
  token: optionalString,
  transaction_hash: optionalString,
  txTime: optionalString,
});

export const resmic: Source = {
  name: NAME,
  statuses: {},

  authenticate(request, { secrets }) {
    requireHmac(request, SCHEME, { secrets, messages: jsonReadings(request.body) });
  },

  parse({ body }) {
    const { status, ...shown } = checkBody(resmicBody, parseJson(decodeBody(body)));
    return {
      kind: 'notification',
      notification: {
        type: status ? 'payment_succeeded' : 'payment_failed',
        payload: deepPayloadOf({ source: NAME, ...shown }),
        subject: shown.transaction_hash ?? shown.session_id,
        duplicateOf: {
          key: JSON.stringify([NAME, shown.session_id, status]),
          windowMs: REPEAT_WINDOW_MS,
        },
      },
    };
  },
};

// Resmic Pro: crypto checkouts, told per payment session. Its `token` is a coin, never a push token, and
// its guide signs the parsed body written anew, not the bytes.

import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, optionalString, requiredString } from './body.ts';
import { decodeBody, deepPayloadOf, parseJson } from './json.ts';
import { type HmacScheme, requireHmac } from './signatures/hmac.ts';
import { signedReadings } from './signatures/serialised.ts';

const NAME = 'resmic';
const SCHEME: HmacScheme = {
  header: 'x-signature',
  algorithm: 'sha256',
  encoding: 'hex',
  prefix: '',
};
const REPEAT_WINDOW_MS = 7 * 24 * 3_600_000;

/** The payer's wallet address is not read: it stays out of the push. */
const session = z.object({
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
    requireHmac(request, SCHEME, { secrets, messages: signedReadings(request.body) });
  },

  parse({ body }) {
    const { status, ...shown } = checkBody(session, parseJson(decodeBody(body)));
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

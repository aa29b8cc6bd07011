// PaymentFlow and Payment API document the same webhook under two names: one source here, which differs only in its
// name and its signature header. The header of the other service is not accepted.

import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { checkBody, IGNORED, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseJson } from './json.ts';
import { hexSha256In, requireHmac } from './signatures/hmac.ts';
import { jsonReadings } from './signatures/signed-readings.ts';
import { REPEAT_WINDOW_MS } from './time.ts';

const TYPES: Readonly<Record<string, string>> = {
  'payment.succeeded': 'payment_succeeded',
  'payment.failed': 'payment_failed',
  'refund.created': 'refund_created',
};

const AMOUNT = 'is required: a whole number of the smallest unit';
const typed = z.object({ type: requiredString });
/** The customer is not read: name and address stay out of the push. */
const event = z.object({
  id: requiredString,
  data: z.object(
    {
      object: z.object(
        {
          id: requiredString,
          amount: z.int(AMOUNT),
          currency: requiredString,
          status: requiredString,
        },
        'is required: a JSON object',
      ),
    },
    'is required: a JSON object',
  ),
});
export const paymentEventBody = typed.extend(event.shape);

export const paymentflow = createPaymentEvents('paymentflow', 'paymentflow-signature');
export const paymentApi = createPaymentEvents('payment_api', 'payment-signature');

function createPaymentEvents(name: string, header: string): Source {
  const scheme = hexSha256In(header);
  return {
    name,
    statuses: {},

    authenticate(request, { secrets }) {
      requireHmac(request, scheme, { secrets, messages: jsonReadings(request.body) });
    },

    parse(request) {
      const body = parseJson(decodeBody(request.body));
      const { type } = checkBody(typed, body);
      const pushType = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
      if (pushType === undefined) return IGNORED;
      const { id, data } = checkBody(event, body);
      const { amount, currency, status } = data.object;
      return {
        kind: 'notification',
        notification: {
          type: pushType,
          payload: deepPayloadOf({
            amount,
            currency,
            event_id: id,
            object_id: data.object.id,
            source: name,
            status,
            type,
          }),
          subject: data.object.id,
          duplicateOf: { key: JSON.stringify([name, id]), windowMs: REPEAT_WINDOW_MS },
        },
      };
    },
  };
}

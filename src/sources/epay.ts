// Epay: mobile money. It signs nothing, so the handle in the URL is the only protection. A body that
// contradicts itself cannot be Epay's.

import { z } from 'zod';
import type { Source } from '../core/ports/source.ts';
import { badBody, checkBody, IGNORED, optionalString, requiredString } from './fields.ts';
import { decodeBody, deepPayloadOf, parseJson } from './json.ts';
import { PERMANENT_AS_200 } from './permanent.ts';
import { REPEAT_WINDOW_MS } from './time.ts';

const NAME = 'epay';

/** The meaning of `status`. Only `success` has been seen; with other words the boolean decides. */
const SUCCESS = /^(?:success|successful|succeeded|completed?|paid)$/i;
const FAILURE = /^(?:fail|failed|failure|declined|rejected|cancell?ed|expired|error|reversed)$/i;
const OPEN = /^(?:pending|processing|initiated|created)$/i;

/** Customer, page and description are not read: they stay out of the push. */
export const epayBody = z.object({
  success: z.boolean('is required: true or false'),
  transaction: z.object(
    {
      reference: requiredString,
      status: requiredString,
      amount: requiredString,
      payment_method: optionalString,
    },
    'is required: a JSON object',
  ),
});

export const epay: Source = {
  name: NAME,

  /** Epay wants 200 for every call: failures that a repeat cannot change are reported only to the operator. */
  statuses: PERMANENT_AS_200,

  /** There is nothing to check except the handle. */
  authenticate() {},

  parse({ body }) {
    const { success, transaction } = checkBody(epayBody, parseJson(decodeBody(body)));
    const { reference, status } = transaction;
    const contradicts = success ? FAILURE.test(status) || OPEN.test(status) : SUCCESS.test(status);
    if (contradicts) {
      throw badBody([{ field: 'transaction.status', message: 'contradicts `success`' }]);
    }
    if (!success && OPEN.test(status)) return IGNORED;
    return {
      kind: 'notification',
      notification: {
        type: success ? 'payment_succeeded' : 'payment_failed',
        payload: deepPayloadOf({ source: NAME, ...transaction }),
        subject: reference,
        duplicateOf: { key: JSON.stringify([NAME, reference, status]), windowMs: REPEAT_WINDOW_MS },
      },
    };
  },
};

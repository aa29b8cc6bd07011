// Standard Webhooks 1.0.0, for any service that speaks it. A body of the Breez family under this signature
// means what it means at /api/v1/notify.

import { z } from 'zod';
import { ServiceError } from '../core/errors.ts';
import type { Parsed, Source } from '../core/ports/source.ts';
import { checkBody } from './body.ts';
import { parseBreezBody } from './breez.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import { matchesStandardWebhook } from './signatures/standard-webhooks.ts';
import { parseDigits, requireFresh } from './time.ts';

const ID = 'webhook-id';
const TIMESTAMP = 'webhook-timestamp';
const SIGNATURE = 'webhook-signature';

/** Both ways, as in the reference libraries; the 300th second is still good. */
const TOLERANCE_MS = 300_000;
/** Senders repeat for days; the id stays over all repeats, while the timestamp does not. */
const REPEAT_WINDOW_MS = 7 * 24 * 3_600_000;

/** No quotes and braces: id, time and body are signed as one text, which must not be divided otherwise. */
const ID_PATTERN = /^[A-Za-z0-9_.:=+/@|~-]{1,256}$/;
/** The specification allows letters, digits, `_` and `.`; senders in the wild use the rest. */
const TYPE_PATTERN = /^[A-Za-z0-9_.:/-]{1,100}$/;

const standardEvent = z.object({
  type: z.string('is required: a string').regex(TYPE_PATTERN, 'must be a name such as `a.b`'),
  timestamp: z.unknown().optional(),
  data: z.unknown().optional(),
});
const breezName = z.union([z.object({ template: z.string() }), z.object({ event: z.string() })]);
const typed = z.object({ type: z.string() });

export const standardWebhooks: Source = {
  name: 'standard',

  /** 410 would have the sender disable the endpoint for good. */
  statuses: { token_unregistered: 422 },

  authenticate({ headers, body, receivedAtMs }, { secrets }) {
    const id = headers[ID];
    const timestamp = headers[TIMESTAMP] ?? '';
    const list = headers[SIGNATURE];
    if (id === undefined) refuse(`The header ${ID} is missing.`);
    if (!ID_PATTERN.test(id)) refuse(`The header ${ID} is malformed.`);
    if (list === undefined) refuse(`The header ${SIGNATURE} is missing.`);
    const seconds = parseDigits(timestamp);
    requireFresh({
      header: TIMESTAMP,
      timeMs: seconds === undefined ? undefined : seconds * 1_000,
      nowMs: Math.floor(receivedAtMs / 1_000) * 1_000,
      toleranceMs: TOLERANCE_MS,
    });
    const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
    if (matchesStandardWebhook(list, content, secrets)) return;
    refuse(`No entry of the header ${SIGNATURE} fits the call and any key of this URL.`);
  },

  parse({ headers, body }) {
    const value = parseExactJson(decodeBody(body));
    const id = headers[ID] ?? '';
    return withKey(parseAsBreez(body, value) ?? parseStandard(value, id), id);
  },
};

/** Undefined for what is no body of the Breez family, but can be an event by its `type`. */
function parseAsBreez(body: Uint8Array, value: unknown): Parsed | undefined {
  const canBeEvent = typed.safeParse(value).success || !breezName.safeParse(value).success;
  try {
    return parseBreezBody(body);
  } catch (error) {
    if (canBeEvent && error instanceof ServiceError && error.code === 'bad_body') return undefined;
    throw error;
  }
}

function parseStandard(value: unknown, id: string): Parsed {
  const { type, timestamp, data } = checkBody(standardEvent, value);
  return {
    kind: 'notification',
    notification: {
      type: type.replaceAll('.', '_'),
      payload: deepPayloadOf({ data, id, timestamp, type }),
      subject: id,
    },
  };
}

/** The id is what makes a repeat, also of a body that would have a key of its own elsewhere. */
function withKey(parsed: Parsed, id: string): Parsed {
  if (parsed.kind !== 'notification') return parsed;
  const duplicateOf = { key: id, windowMs: REPEAT_WINDOW_MS };
  return { ...parsed, notification: { ...parsed.notification, duplicateOf } };
}

function refuse(detail: string): never {
  throw new ServiceError('bad_signature', { detail });
}

// Standard Webhooks 1.0.0, for any service that speaks it. A body of the Breez family under this signature
// means what it means at /api/v1/notify.

import { z } from 'zod';
import { ServiceError } from '../core/errors.ts';
import type { Parsed, Source, SourceRequest } from '../core/ports/source.ts';
import { parseBreezBody } from './breez.ts';
import { checkBody } from './fields.ts';
import { decodeBody, deepPayloadOf, parseExactJson } from './json.ts';
import {
  faultOfStandardKey,
  matchesStandardWebhook,
  SIGNED_ID,
} from './signatures/standard-webhooks.ts';
import { parseDigits, REPEAT_WINDOW_MS, requireFresh } from './time.ts';

/** The names of the headers, and Svix's own for the same three. If both sets are complete, the first counts. */
const PREFIXES = ['webhook-', 'svix-'] as const;
const PARTS = ['id', 'timestamp', 'signature'] as const;

/** Both ways, as in the reference libraries; the 300th second is still good. */
const TOLERANCE_MS = 300_000;

/** The specification allows letters, digits, `_` and `.`; senders in the wild use the rest. */
const TYPE_PATTERN = /^[A-Za-z0-9_.:/-]{1,100}$/;

export const standardEvent = z.object({
  type: z.string('is required: a string').regex(TYPE_PATTERN, 'must be a name such as `a.b`'),
  timestamp: z.unknown().optional(),
  data: z.unknown().optional(),
});
const breezName = z.union([z.object({ template: z.string() }), z.object({ event: z.string() })]);
const typed = z.object({ type: z.string() });

export const standardWebhooks: Source = {
  name: 'standard',

  secretFault: faultOfStandardKey,

  /** 410 would have the sender disable the endpoint for good. */
  statuses: { token_unregistered: 422 },

  authenticate({ headers, body, receivedAtMs }, { secrets }) {
    const { prefix, id, timestamp, signature } = requireHeaders(headers);
    if (!SIGNED_ID.test(id)) refuse(`The header ${prefix}id is malformed.`);
    const seconds = parseDigits(timestamp);
    requireFresh({
      header: `${prefix}timestamp`,
      timeMs: seconds === undefined ? undefined : seconds * 1_000,
      nowMs: Math.floor(receivedAtMs / 1_000) * 1_000,
      toleranceMs: TOLERANCE_MS,
    });
    const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
    if (matchesStandardWebhook(signature, content, secrets)) return;
    refuse(`No entry of the header ${prefix}signature matches the call under any key of this URL.`);
  },

  parse({ headers, body }) {
    const value = parseExactJson(decodeBody(body));
    const { id } = requireHeaders(headers);
    return withKey(parseAsBreez(body, value) ?? parseStandard(value, id), id);
  },
};

interface SignedHeaders {
  readonly prefix: string;
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
}

/** Throws `bad_signature` unless one set of names is complete: headers of the two sets are not combined. */
function requireHeaders(headers: SourceRequest['headers']): SignedHeaders {
  for (const prefix of PREFIXES) {
    const [id, timestamp, signature] = PARTS.map((part) => headers[prefix + part]);
    if (id === undefined || timestamp === undefined || signature === undefined) continue;
    return { prefix, id, timestamp, signature };
  }
  const prefix = PREFIXES.find((name) => PARTS.some((part) => headers[name + part] !== undefined));
  const missing = PARTS.find((part) => headers[`${prefix ?? PREFIXES[0]}${part}`] === undefined);
  return refuse(`The header ${prefix ?? PREFIXES[0]}${missing} is missing.`);
}

/** Undefined if the body is not of the Breez family but can be an event by its `type`. */
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

/** The id identifies a repeat, even for a body that has a key of its own at other doors. */
function withKey(parsed: Parsed, id: string): Parsed {
  if (parsed.kind !== 'notification') return parsed;
  const duplicateOf = { key: id, windowMs: REPEAT_WINDOW_MS };
  return { ...parsed, notification: { ...parsed.notification, duplicateOf } };
}

function refuse(detail: string): never {
  throw new ServiceError('bad_signature', { detail });
}

// What an answer of APNs means. Pure: status, headers and body in, outcome out.
// Statuses and reasons: Apple, "Handling notification responses from APNs"
// (developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns).

import { z } from 'zod';
import type { Outcome } from '../../core/outcome.ts';
import type { HttpResponse } from '../http2/client.ts';
import { parseRetryAfter } from '../http2/retry-after.ts';

type Meaning =
  | 'unregistered'
  | 'token'
  | 'sender'
  | 'message'
  | 'misconfigured'
  | 'throttled_token'
  | 'throttled'
  | 'later';

interface ReasonRule {
  readonly meaning: Meaning;
  /** For the operator, if no push is possible until somebody acts. */
  readonly remedy?: string;
}

const OUR_FAULT: ReasonRule = { meaning: 'message' };
const LATER: ReasonRule = { meaning: 'later' };

/** Every reason of Apple's table, and one that only the real servers send. */
export const APNS_REASONS: Readonly<Record<string, ReasonRule>> = {
  // 400. A token of the other environment, or mistyped: this does not say that the device is gone.
  BadDeviceToken: { meaning: 'token' },
  // The token is good, but for another app: one caller's mistake, or our topic for every token.
  DeviceTokenNotForTopic: { meaning: 'sender' },
  BadTopic: { meaning: 'misconfigured', remedy: 'The topic must be the app’s bundle id.' },
  MissingTopic: { meaning: 'misconfigured', remedy: 'Configure the topic: the app’s bundle id.' },
  TopicDisallowed: {
    meaning: 'misconfigured',
    remedy:
      'This key may not push to this bundle id: check the topic, the team and the key’s topics.',
  },
  BadCollapseId: OUR_FAULT,
  BadExpirationDate: OUR_FAULT,
  BadMessageId: OUR_FAULT,
  BadPriority: OUR_FAULT,
  DuplicateHeaders: OUR_FAULT,
  InvalidPushType: OUR_FAULT,
  MissingDeviceToken: OUR_FAULT,
  PayloadEmpty: OUR_FAULT,
  IdleTimeout: LATER,
  // 403. The provider token or the key behind it.
  ExpiredProviderToken: {
    meaning: 'misconfigured',
    remedy: 'Apple calls a fresh token expired: set this machine’s clock.',
  },
  InvalidProviderToken: {
    meaning: 'misconfigured',
    remedy:
      'Check key, key id and team id, that the key was not revoked, and the clock of this machine.',
  },
  MissingProviderToken: { meaning: 'misconfigured', remedy: 'Check the APNs key.' },
  BadCertificate: { meaning: 'misconfigured', remedy: 'Check the APNs key.' },
  BadCertificateEnvironment: {
    meaning: 'misconfigured',
    remedy: 'The credentials belong to the other APNs environment: check the endpoint.',
  },
  BadEnvironmentKeyIdInToken: {
    meaning: 'misconfigured',
    remedy: 'The key belongs to the other APNs environment: check the endpoint and the key.',
  },
  // Apple's documentation has the line above; its servers say this (APNSwift issue 229).
  BadEnvironmentKeyInToken: {
    meaning: 'misconfigured',
    remedy: 'The key belongs to the other APNs environment: check the endpoint and the key.',
  },
  UnrelatedKeyIdInToken: {
    meaning: 'misconfigured',
    remedy: 'The key differs from the one this connection began with: check key id and team id.',
  },
  Forbidden: {
    meaning: 'misconfigured',
    remedy: 'Apple forbids this: check the key and the team.',
  },
  // 404, 405.
  BadPath: OUR_FAULT,
  MethodNotAllowed: OUR_FAULT,
  // 410. Only these mean that a token is dead.
  Unregistered: { meaning: 'unregistered' },
  ExpiredToken: { meaning: 'unregistered' },
  // 413.
  PayloadTooLarge: OUR_FAULT,
  // 429. The first is about one token, the second about our provider tokens.
  TooManyRequests: { meaning: 'throttled_token' },
  TooManyProviderTokenUpdates: {
    meaning: 'later',
    remedy:
      'Apple sees our provider token change too often: check the clock of this machine, and whether another service signs with the same key.',
  },
  // 500, 503.
  InternalServerError: LATER,
  ServiceUnavailable: LATER,
  Shutdown: LATER,
};

const errorBody = z.object({
  reason: z.string(),
  timestamp: z.unknown().optional(),
});
/** What Apple returns as `apns-id` and `apns-unique-id`. */
const MESSAGE_ID = /^[0-9A-Fa-f-]{1,64}$/;
/** Push notifications began in 2009; no token can have died before. */
const EARLIEST_DEATH_MS = Date.UTC(2008, 0);
const DAY_MS = 86_400_000;

/** `wallMs` is the time against which a Retry-After date is read. */
export function readApnsAnswer({ status, headers, body }: HttpResponse, wallMs: number): Outcome {
  if (status === 200) return delivered(headers);
  const error = parseError(body);
  const known = error === undefined ? undefined : lookUp(error.reason);
  const meaning = meaningOf(status, known?.rule);
  const reason = known?.reason ?? `status_${status}`;
  // Apple documents no Retry-After and advises minutes; a payment lives for one, so without
  // the header the core's own back-off decides.
  const retryAfterMs = parseRetryAfter(headers['retry-after'], wallMs);
  switch (meaning) {
    case 'unregistered': {
      const sinceMs = timeOfDeath(error?.timestamp, wallMs);
      return { kind: 'unregistered', reason, sinceMs };
    }
    case 'token':
    case 'sender':
    case 'message':
      return { kind: 'rejected', reason, blame: meaning };
    case 'misconfigured':
      return { kind: 'misconfigured', reason };
    case 'throttled_token':
    case 'throttled':
      return { kind: 'retry', reason, certainty: meaning, retryAfterMs };
    case 'later':
      return { kind: 'retry', reason, certainty: 'answered', retryAfterMs };
  }
}

/** What to do about a reason that does not depend on the device token. */
export function apnsRemedyFor(reason: string): string | undefined {
  return lookUp(reason)?.rule.remedy;
}

/** Whether retries for this reason fail for every token until an operator acts. */
export function isApnsBlocked(reason: string): boolean {
  return reason === 'TooManyProviderTokenUpdates';
}

/** Milliseconds by Apple's documentation; a number that cannot be such a time is dropped. */
function timeOfDeath(timestamp: unknown, wallMs: number): number | undefined {
  const isPossible =
    Number.isSafeInteger(timestamp) &&
    Number(timestamp) >= EARLIEST_DEATH_MS &&
    Number(timestamp) <= wallMs + DAY_MS;
  return isPossible ? Number(timestamp) : undefined;
}

/** Apple returns our `apns-id`; the sandbox environment adds an id for its push console. */
function delivered(headers: HttpResponse['headers']): Outcome {
  const id = headers['apns-unique-id'] ?? headers['apns-id'];
  return typeof id === 'string' && MESSAGE_ID.test(id)
    ? { kind: 'delivered', messageId: id }
    : { kind: 'delivered' };
}

/** Only 410 means that a token is dead, whatever the body says. */
function meaningOf(status: number, rule: ReasonRule | undefined): Meaning {
  if (status === 410) return 'unregistered';
  if (rule !== undefined && rule.meaning !== 'unregistered') return rule.meaning;
  if (status === 403) return 'misconfigured';
  if (status === 429) return 'throttled';
  if (status === 408) return 'later';
  return status >= 400 && status < 500 ? 'message' : 'later';
}

function lookUp(reason: string): { reason: string; rule: ReasonRule } | undefined {
  const rule = Object.hasOwn(APNS_REASONS, reason) ? APNS_REASONS[reason] : undefined;
  return rule === undefined ? undefined : { reason, rule };
}

function parseError(body: string): z.infer<typeof errorBody> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
  return errorBody.safeParse(json).data;
}

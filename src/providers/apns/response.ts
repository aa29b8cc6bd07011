// What an answer of APNs means. Pure: status, headers and body in, outcome out.
// Statuses and reasons: Apple, "Handling notification responses from APNs"
// (developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns).

import { z } from 'zod';
import type { Outcome } from '../../core/outcome.ts';
import type { Answer, AnswerHeaders } from '../transport/exchange.ts';
import { parseRetryAfter } from '../transport/retry-after.ts';

type Meaning = 'unregistered' | 'token' | 'sender' | 'message' | 'misconfigured' | 'later';

interface ReasonRule {
  readonly meaning: Meaning;
  /** For the operator, where there is something to do. */
  readonly remedy?: string;
}

const OUR_MISTAKE: ReasonRule = { meaning: 'message' };
const LATER: ReasonRule = { meaning: 'later' };

/** Every reason of Apple's table, and one that only the real servers send. */
export const APNS_REASONS: Readonly<Record<string, ReasonRule>> = {
  // 400. A token of the other environment, or mistyped: nothing says that the device is gone.
  BadDeviceToken: {
    meaning: 'token',
    remedy: 'Tokens of development builds need the sandbox endpoint, all others production.',
  },
  // The token is good, but for another app: one caller's mistake, or our topic for every token.
  DeviceTokenNotForTopic: {
    meaning: 'sender',
    remedy: 'Check that the topic is the bundle id of the app that issued the token.',
  },
  BadTopic: { meaning: 'misconfigured', remedy: 'The topic must be the app’s bundle id.' },
  MissingTopic: { meaning: 'misconfigured', remedy: 'Configure the topic: the app’s bundle id.' },
  TopicDisallowed: {
    meaning: 'misconfigured',
    remedy:
      'This key may not push to this bundle id: check the topic, the team and the key’s topics.',
  },
  BadCollapseId: OUR_MISTAKE,
  BadExpirationDate: OUR_MISTAKE,
  BadMessageId: OUR_MISTAKE,
  BadPriority: OUR_MISTAKE,
  DuplicateHeaders: OUR_MISTAKE,
  InvalidPushType: OUR_MISTAKE,
  MissingDeviceToken: OUR_MISTAKE,
  PayloadEmpty: OUR_MISTAKE,
  IdleTimeout: LATER,
  // 403. The provider token or the key behind it.
  ExpiredProviderToken: {
    meaning: 'misconfigured',
    remedy: 'Apple calls a fresh token expired: set this machine’s clock.',
  },
  InvalidProviderToken: {
    meaning: 'misconfigured',
    remedy: 'Check key, key id and team id, and that the key was not revoked.',
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
  BadPath: OUR_MISTAKE,
  MethodNotAllowed: OUR_MISTAKE,
  // 410. The only words by which a token dies.
  Unregistered: { meaning: 'unregistered' },
  ExpiredToken: { meaning: 'unregistered' },
  // 413.
  PayloadTooLarge: OUR_MISTAKE,
  // 429. The first is about one token, the second about this connection.
  TooManyRequests: LATER,
  TooManyProviderTokenUpdates: LATER,
  // 500, 503.
  InternalServerError: LATER,
  ServiceUnavailable: LATER,
  Shutdown: LATER,
};

const errorBody = z.object({
  reason: z.string(),
  timestamp: z.number().optional().catch(undefined),
});
/** What Apple returns as `apns-id` and `apns-unique-id`. */
const MESSAGE_ID = /^[0-9A-Fa-f-]{1,64}$/;

/** `wallMs` is the time against which a Retry-After date is read. */
export function readApnsAnswer({ status, headers, body }: Answer, wallMs: number): Outcome {
  if (status === 200) return delivered(headers);
  const error = parseError(body);
  const known = error === undefined ? undefined : lookUp(error.reason);
  const meaning = meaningOf(status, known?.rule);
  const reason = known?.reason ?? `status_${status}`;
  switch (meaning) {
    case 'unregistered':
      return error?.timestamp === undefined
        ? { kind: 'unregistered', reason }
        : { kind: 'unregistered', reason, sinceMs: error.timestamp };
    case 'token':
    case 'sender':
    case 'message':
      return { kind: 'rejected', reason, blame: meaning };
    case 'misconfigured':
      return { kind: 'misconfigured', reason };
    case 'later': {
      // Apple documents no Retry-After and advises minutes; a payment lives for one, so that without
      // the header the core's own back-off decides.
      const retryAfterMs = parseRetryAfter(headers['retry-after'], wallMs);
      return {
        kind: 'retry',
        reason,
        certainty: 'answered',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      };
    }
  }
}

export function explainApnsReason(reason: string): string {
  return lookUp(reason)?.rule.remedy ?? 'APNs refuses our requests: check key, team and topic.';
}

/** Apple returns our `apns-id`; the sandbox environment adds an id that its push console knows. */
function delivered(headers: AnswerHeaders): Outcome {
  const id = headers['apns-unique-id'] ?? headers['apns-id'];
  return typeof id === 'string' && MESSAGE_ID.test(id)
    ? { kind: 'delivered', messageId: id }
    : { kind: 'delivered' };
}

/** 410 alone kills a token, whatever the body says; no other status does. */
function meaningOf(status: number, rule: ReasonRule | undefined): Meaning {
  if (status === 410) return 'unregistered';
  if (rule !== undefined && rule.meaning !== 'unregistered') return rule.meaning;
  if (status === 403) return 'misconfigured';
  if (status === 408 || status === 429) return 'later';
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

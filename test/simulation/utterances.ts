// Everything that a provider can answer or leave unanswered, sorted by how its adapter understands it. The lists are
// made from the adapters' own tables: an outcome that no adapter gives cannot be drawn.

import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import {
  APNS_REASON_NAMES,
  apns,
  FAILURE_REASONS,
  fcm,
  type Said,
  understood,
} from '../support/provider-answers.ts';

/** The meaning of an outcome for the core, in one word. */
export type Meaning =
  | 'delivered'
  | 'unregistered'
  | 'misconfigured'
  | `rejected_${'token' | 'sender' | 'message'}`
  | Extract<Outcome, { kind: 'retry' }>['certainty'];

export function meaningOf(outcome: Outcome): Meaning {
  switch (outcome.kind) {
    case 'retry':
      return outcome.certainty;
    case 'rejected':
      return `rejected_${outcome.blame}`;
    default:
      return outcome.kind;
  }
}

/** Answers whose body we do not know: a proxy's page, a status that is not documented. */
const UNDOCUMENTED: readonly Said[] = [400, 401, 403, 404, 408, 418, 429, 500, 502, 503, 504].map(
  (status) => ({ status, body: '<html>an unknown page</html>' }),
);

/** Google's table, ErrorCode of the v1 API, and the shapes that were seen in the field. */
const FCM_SAID: readonly Said[] = [
  fcm(404, 'UNREGISTERED'),
  fcm(403, 'SENDER_ID_MISMATCH'),
  fcm(401, 'THIRD_PARTY_AUTH_ERROR'),
  fcm(400, 'INVALID_ARGUMENT'),
  fcm(400, 'INVALID_ARGUMENT', { field: 'message.token' }),
  fcm(400, 'INVALID_ARGUMENT', { field: 'message.data' }),
  fcm(429, 'QUOTA_EXCEEDED'),
  fcm(429, 'QUOTA_EXCEEDED', { quota: 'device rate' }),
  fcm(429, 'QUOTA_EXCEEDED', { quota: 'project message rate' }),
  fcm(500, 'INTERNAL'),
  fcm(503, 'UNAVAILABLE'),
  fcm(500, 'UNSPECIFIED_ERROR'),
  { status: 200, body: 'not what Google documents' },
];

/** Apple's times of death, and values that are not valid times. */
const TIMES_OF_DEATH = ['1754049000000', '9223372036854775807', '1e308', '-1e19', '"soon"'];

const APNS_SAID: readonly Said[] = [
  ...APNS_REASON_NAMES.map((reason) => apns(reason)),
  ...TIMES_OF_DEATH.map((timestamp) => ({
    status: 410,
    body: `{"reason":"Unregistered","timestamp":${timestamp}}`,
  })),
];

/** The wall time with which Apple's times are compared. */
const SAID_AT_MS = 1_754_049_600_000;

const FAILURES: readonly Said[] = FAILURE_REASONS.map((failure) => ({ failure }));

export const SAID: Readonly<Record<ProviderName, readonly Said[]>> = {
  apns: [...APNS_SAID, ...UNDOCUMENTED, ...FAILURES],
  fcm: [...FCM_SAID, ...UNDOCUMENTED, ...FAILURES],
};

/** An answer, and its outcome from the adapter if the answer names no time to wait. */
export interface Utterance {
  readonly said: Said;
  readonly outcome: Outcome;
}

const BY_MEANING: Readonly<Record<ProviderName, ReadonlyMap<Meaning, readonly Utterance[]>>> = {
  apns: sorted('apns'),
  fcm: sorted('fcm'),
};

function sorted(provider: ProviderName): ReadonlyMap<Meaning, readonly Utterance[]> {
  const utterances = SAID[provider].map((said) => ({
    said,
    outcome: understood(provider, said, SAID_AT_MS),
  }));
  return Map.groupBy(utterances, ({ outcome }) => meaningOf(outcome));
}

/** All answers of a provider with this meaning; never empty. */
export function saidWith(provider: ProviderName, meaning: Meaning): readonly Utterance[] {
  const found = BY_MEANING[provider].get(meaning);
  if (found === undefined) throw new Error(`${provider} never says ${meaning}`);
  return found;
}

export function canSay(provider: ProviderName, meaning: Meaning): boolean {
  return BY_MEANING[provider].has(meaning);
}

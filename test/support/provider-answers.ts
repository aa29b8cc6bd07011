// The answers of APNs and FCM, as the adapters understand them. Every answer goes through the adapters' own tables, so
// a model built on this cannot give an outcome that no adapter gives.

import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { APNS_REASONS, readApnsAnswer } from '../../src/providers/apns/response.ts';
import { readFcmAnswer } from '../../src/providers/fcm/response.ts';
import {
  type FailureReason,
  failureOutcome,
  TRANSPORT_FAILURES,
} from '../../src/providers/http2/transport-failures.ts';

/** A status with a body, or a failure of the transport by its name. */
export type Said =
  | {
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly failure: FailureReason };

export const FAILURE_REASONS = Object.keys(TRANSPORT_FAILURES) as readonly FailureReason[];

/** Apple's table: the status with which each reason comes. */
const APNS_STATUSES: Readonly<Record<number, readonly string[]>> = {
  400: [
    'BadCollapseId',
    'BadDeviceToken',
    'BadExpirationDate',
    'BadMessageId',
    'BadPriority',
    'BadTopic',
    'DeviceTokenNotForTopic',
    'DuplicateHeaders',
    'IdleTimeout',
    'InvalidPushType',
    'MissingDeviceToken',
    'MissingTopic',
    'PayloadEmpty',
    'TopicDisallowed',
  ],
  403: [
    'BadCertificate',
    'BadCertificateEnvironment',
    'BadEnvironmentKeyIdInToken',
    'BadEnvironmentKeyInToken',
    'ExpiredProviderToken',
    'Forbidden',
    'InvalidProviderToken',
    'MissingProviderToken',
    'UnrelatedKeyIdInToken',
  ],
  404: ['BadPath'],
  405: ['MethodNotAllowed'],
  410: ['ExpiredToken', 'Unregistered'],
  413: ['PayloadTooLarge'],
  429: ['TooManyProviderTokenUpdates', 'TooManyRequests'],
  500: ['InternalServerError'],
  503: ['ServiceUnavailable', 'Shutdown'],
};

export const APNS_REASON_NAMES = Object.keys(APNS_REASONS);

export function apnsStatusOf(reason: string): number {
  const found = Object.entries(APNS_STATUSES).find(([, reasons]) => reasons.includes(reason));
  if (found === undefined) throw new Error(`no status is known for the reason ${reason}`);
  return Number(found[0]);
}

export function apns(reason: string, headers: Readonly<Record<string, string>> = {}): Said {
  return { status: apnsStatusOf(reason), body: JSON.stringify({ reason }), headers };
}

const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError';
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest';
const QUOTA_FAILURE = 'type.googleapis.com/google.rpc.QuotaFailure';

export interface FcmDetails {
  /** The field that `google.rpc.BadRequest` names. */
  readonly field?: string;
  /** The quota that `google.rpc.QuotaFailure` names. */
  readonly quota?: string;
}

/** An answer of FCM; without an error code it has no FcmError. */
export function fcm(
  status: number,
  errorCode?: string,
  { field, quota, ...headers }: FcmDetails & Readonly<Record<string, string>> = {},
): Said {
  const details: unknown[] = [];
  if (errorCode !== undefined) details.push({ '@type': FCM_ERROR, errorCode });
  if (field !== undefined) details.push({ '@type': BAD_REQUEST, fieldViolations: [{ field }] });
  if (quota !== undefined) {
    details.push({ '@type': QUOTA_FAILURE, violations: [{ subject: quota, description: quota }] });
  }
  return { status, body: JSON.stringify({ error: { code: status, details } }), headers };
}

export const ACCEPTED: Readonly<Record<ProviderName, Said>> = {
  apns: { status: 200, body: '', headers: { 'apns-id': '0f9ad8c2-1f0c-4a2b-9d5e-6b8f3c2a1d00' } },
  fcm: { status: 200, body: '{"name":"projects/nds-demo/messages/0:17540496%abc"}' },
};

/** The outcome that this provider's adapter gives for it. */
export function understood(provider: ProviderName, said: Said, wallMs = 0): Outcome {
  if ('failure' in said) return failureOutcome(said.failure);
  const answer = { headers: {}, ...said };
  return provider === 'apns' ? readApnsAnswer(answer, wallMs) : readFcmAnswer(answer, wallMs);
}

// An operator reads this sentence in the middle of the night: each case has its words and its stable code here.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { judgeDelivery, type Surroundings } from '../../../src/core/finding/delivery-verdict.ts';
import type { Outage } from '../../../src/core/ports/records.ts';
import type { LoggedDelivery } from '../../../src/core/ports/store.ts';
import { attempt, CALLED, sampleLogged, sampleQuarantined } from './samples.ts';

const OUTAGE: Outage = {
  app: 'default',
  provider: 'fcm',
  reason: 'UNAVAILABLE',
  beganAtMs: CALLED - 60_000,
  endedAtMs: CALLED + 14_000,
};
const STOPPED = { kind: 'stopped', beganAtMs: CALLED - 1_000, unlogged: 0 } as const;
const EXPIRED = { status: 'expired', settledAtMs: CALLED + 52_000 } as const;
const RENEWED = { repeats: 1, renewedAtMs: CALLED + 40_000 };
const LATE = { settledAtMs: CALLED + 14_300 };

interface Case {
  readonly is: Partial<LoggedDelivery>;
  readonly around?: Partial<Surroundings>;
  readonly code: string;
  readonly says: string;
}

const CASES: readonly Case[] = [
  {
    is: {},
    code: 'delivered',
    says: 'Delivered 43 ms after the call: FCM took the push; if the phone did not wake, see docs/troubleshooting.md#delivered-but-the-phone-did-not-wake.',
  },
  {
    is: { answeredAtMs: CALLED + 3_243 },
    code: 'replied',
    says: 'Delivered 43 ms after the call, and the phone replied 3 s later.',
  },
  {
    is: { told: 'no_reply' },
    code: 'no_reply',
    says: 'Delivered 43 ms after the call, but the phone did not reply in time: see docs/troubleshooting.md#delivered-but-the-phone-did-not-wake.',
  },
  {
    is: { ...LATE, attempts: [attempt(1, 2, 'UNAVAILABLE'), attempt(2, 14_250)] },
    around: { outages: [OUTAGE] },
    code: 'delivered_late_outage',
    says: 'Delivered 14 s late: FCM was failing from 18:11:22 to 18:12:36.',
  },
  {
    // One payment alone opens no breaker, but its own attempts show the outage.
    is: { ...LATE, attempts: [attempt(1, 2, 'connection_refused'), attempt(2, 14_250)] },
    code: 'delivered_late_outage',
    says: 'Delivered 14 s late: FCM was unreachable from 18:12:22 to 18:12:36.',
  },
  {
    is: { ...LATE, attempts: [attempt(1, 14_250)] },
    around: { gaps: [{ ...STOPPED, endedAtMs: CALLED + 14_000 }] },
    code: 'delivered_late_stopped',
    says: 'Delivered 14 s late: nds was not running from 18:12:21 to 18:12:36.',
  },
  {
    is: { ...LATE, attempts: [attempt(1, 2, 'QUOTA_EXCEEDED'), attempt(2, 14_250)] },
    code: 'delivered_late_throttled',
    says: 'Delivered 14 s late: FCM held the token back (QUOTA_EXCEEDED).',
  },
  {
    is: {
      ...LATE,
      attempts: [attempt(1, 2, 'timeout'), attempt(2, 3_000, 'timeout'), attempt(3, 14_250)],
    },
    code: 'delivered_late',
    says: 'Delivered 14 s late: 2 tries ended with timeout.',
  },
  {
    // The first try failed before the service was stopped.
    is: { ...LATE, attempts: [attempt(1, 2, 'timeout'), attempt(2, 14_250)] },
    around: { gaps: [{ ...STOPPED, beganAtMs: CALLED + 2_000, endedAtMs: CALLED + 14_000 }] },
    code: 'delivered_late_stopped',
    says: 'Delivered 14 s late: nds was not running from 18:12:24 to 18:12:36.',
  },
  {
    is: { settledAtMs: CALLED + 1_510, attempts: [{ ...attempt(1, 2), latencyMs: 1_500 }] },
    code: 'delivered_late',
    says: 'Delivered 1.5 s late: FCM took 1.5 s to answer.',
  },
  {
    is: { ...LATE, attempts: [attempt(1, 14_250)] },
    code: 'delivered_late',
    says: 'Delivered 14 s late: it waited for its first try, so the machine or its disk was busy.',
  },
  {
    is: { ...EXPIRED, reason: 'UNAVAILABLE', attempts: [attempt(1, 2, 'UNAVAILABLE')] },
    around: { outages: [{ ...OUTAGE, endedAtMs: undefined }] },
    code: 'expired_outage',
    says: 'Not delivered: FCM was failing since 18:11:22, until the 52 s for which the push was useful were over.',
  },
  {
    is: { ...EXPIRED, attempts: [] },
    around: { gaps: [{ ...STOPPED, endedAtMs: CALLED + 600_000 }] },
    code: 'expired_stopped',
    says: 'Not delivered: nds was not running from 18:12:21 to 18:22:22, until the 52 s for which the push was useful were over.',
  },
  {
    is: { ...EXPIRED, provider: 'apns', attempts: [attempt(1, 2, 'TooManyRequests')] },
    code: 'expired_throttled',
    says: 'Not delivered: APNs held the token back (TooManyRequests), until the 52 s for which the push was useful were over.',
  },
  {
    is: { ...EXPIRED, provider: 'apns', reason: 'TooManyRequests', attempts: [] },
    code: 'expired_throttled',
    says: 'Not delivered: APNs held the token back (TooManyRequests), until the 52 s for which the push was useful were over.',
  },
  {
    is: { ...EXPIRED, attempts: [] },
    code: 'expired',
    says: 'Not delivered: it waited for its first try, so the machine or its disk was busy, until the 52 s for which the push was useful were over.',
  },
  {
    is: {
      ...EXPIRED,
      reason: 'uncertain',
      attempts: [1, 2, 3, 4].map((at) => attempt(at, at, 'timeout')),
    },
    code: 'perhaps_delivered',
    says: 'Perhaps delivered: FCM left 4 tries unanswered, and the phone may have got one of them.',
  },
  {
    is: { ...EXPIRED, reason: 'interrupted' },
    code: 'perhaps_delivered',
    says: 'Perhaps delivered: nds ended during the first try at 2026-11-26 18:12:22, and none after it succeeded in time.',
  },
  {
    is: { status: 'rejected', reason: 'internal_error' },
    code: 'internal_error',
    says: 'Not delivered because of a fault in nds: please report the stack of `internal_fault` in its output.',
  },
  {
    is: { ...EXPIRED, reason: 'duplicate', attempts: [] },
    code: 'repeated',
    says: 'Not sent: this call was a duplicate, but the slow database stored its row anyway; the first call has its own delivery.',
  },
  {
    is: { status: 'unregistered', reason: 'UNREGISTERED' },
    code: 'token_dead',
    says: 'Not delivered: FCM says that the token is dead (UNREGISTERED): the app was removed or its token changed, and the wallet must register its new one.',
  },
  {
    is: { status: 'misconfigured', reason: 'InvalidProviderToken', provider: 'apns' },
    code: 'misconfigured',
    says: 'Not delivered: APNs refuses what is configured for the app default (InvalidProviderToken); `nds doctor` says which value is wrong.',
  },
  {
    is: { status: 'misconfigured', reason: 'SENDER_ID_MISMATCH' },
    code: 'misconfigured',
    says: 'Not delivered, nor to other phones of this app: the token is of another Firebase project than the one configured for default (SENDER_ID_MISMATCH): compare it with the app’s google-services.json.',
  },
  {
    is: { status: 'rejected', reason: 'BadDeviceToken', provider: 'apns' },
    code: 'bad_token',
    says: 'Not delivered: APNs does not know this token (BadDeviceToken): it is of the other environment (builds of Xcode have sandbox tokens, all others production: compare APNS_ENVIRONMENT with the build), or mistyped.',
  },
  {
    is: { status: 'rejected', reason: 'INVALID_ARGUMENT', told: 'token_rejected' },
    code: 'bad_token',
    says: 'Not delivered: FCM does not know this token (INVALID_ARGUMENT): compare it with what the app reports.',
  },
  {
    is: { status: 'rejected', reason: 'DeviceTokenNotForTopic', provider: 'apns' },
    code: 'wrong_topic',
    says: 'Not delivered: the token is of another app than the topic configured for default (DeviceTokenNotForTopic): compare APNS_TOPIC with the bundle id of the build.',
  },
  {
    is: { status: 'rejected', reason: 'SENDER_ID_MISMATCH' },
    code: 'wrong_project',
    says: 'Not delivered: the token is of another Firebase project than the one configured for default (SENDER_ID_MISMATCH): compare it with the app’s google-services.json.',
  },
  {
    is: { status: 'rejected', reason: 'THIRD_PARTY_AUTH_ERROR' },
    code: 'firebase_lacks_apns_key',
    says: 'Not delivered: Firebase has no valid APNs key for this iOS app (THIRD_PARTY_AUTH_ERROR): upload it in the Firebase console, Cloud Messaging.',
  },
  {
    is: { status: 'rejected', reason: 'device_deleted' },
    code: 'device_deleted',
    says: 'Not delivered: the device was deleted while its push waited; the wallet must register again.',
  },
  {
    is: {
      status: 'rejected',
      reason: 'PayloadTooLarge',
      provider: 'apns',
      told: 'message_rejected',
    },
    code: 'message_rejected',
    says: 'Not delivered: APNs refuses the message (PayloadTooLarge): please report this reason.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [] },
    around: { nowMs: CALLED + 40 },
    code: 'sending',
    says: 'It is being sent at this moment.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'timeout')] },
    around: { nowMs: CALLED + 5_000 },
    code: 'queued',
    says: 'Waiting for its next try after timeout; it is tried automatically until 18:13:14.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'UNAVAILABLE')] },
    around: { nowMs: CALLED + 5_000, outages: [{ ...OUTAGE, endedAtMs: undefined }] },
    code: 'queued_outage',
    says: 'Waiting: FCM has been failing since 18:11:22; it is sent as soon as that is over, until 18:13:14.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'QUOTA_EXCEEDED')] },
    around: {
      nowMs: CALLED + 5_000,
      quarantined: [
        sampleQuarantined({
          kind: 'throttled',
          reason: 'QUOTA_EXCEEDED',
          untilMs: CALLED + 30_000,
        }),
      ],
    },
    code: 'queued_throttled',
    says: 'Waiting: FCM takes no more pushes for this token until 18:12:52 (QUOTA_EXCEEDED); it is tried again automatically until 18:13:14.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'timeout')] },
    code: 'queued_overdue',
    says: 'Still open although it was useful only until 18:13:14: nds is not running, or is behind; check whether it is up.',
  },
  {
    // If the service is gone, the delivery waits in vain, whatever the provider does.
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'UNAVAILABLE')] },
    around: {
      nowMs: CALLED + 9_000,
      outages: [{ ...OUTAGE, endedAtMs: undefined }],
      gaps: [{ ...STOPPED, beganAtMs: CALLED + 3_000 }],
    },
    code: 'queued_stopped',
    says: 'Waiting: nds has not been running since 18:12:25; start it, and it tries this push until 18:13:14.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [] },
    around: { nowMs: CALLED + 9_000, gaps: [{ ...STOPPED, beganAtMs: CALLED + 3_000 }] },
    code: 'queued_stopped',
    says: 'Waiting: nds has not been running since 18:12:25; start it, and it tries this push until 18:13:14. A first try may have been under way then.',
  },
  {
    is: { status: 'queued', settledAtMs: undefined, attempts: [attempt(1, 2, 'timeout')] },
    around: { gaps: [{ ...STOPPED, beganAtMs: CALLED + 3_000 }] },
    code: 'queued_overdue',
    says: 'Still open although it was useful only until 18:13:14: nds has not been running since 18:12:25.',
  },
  {
    // A repeat gave it a new lifetime.
    is: {
      ...RENEWED,
      status: 'queued',
      settledAtMs: undefined,
      attempts: [attempt(1, 2, 'timeout')],
    },
    around: { nowMs: CALLED + 70_000 },
    code: 'queued',
    says: 'Waiting for its next try after timeout; it is tried automatically until 18:13:54.',
  },
  {
    is: {
      ...RENEWED,
      ...EXPIRED,
      settledAtMs: CALLED + 92_000,
      attempts: [attempt(1, 2, 'timeout')],
    },
    code: 'expired',
    says: 'Not delivered: a try ended with timeout, until the 92 s for which the push was useful were over.',
  },
];

test.each(CASES)('$code: $says', ({ is, around, code, says }) => {
  const surroundings = { outages: [], gaps: [], quarantined: [], nowMs: CALLED + 3_600_000 };
  const verdict = judgeDelivery(sampleLogged(is), { ...surroundings, ...around });
  expect(verdict).toEqual({ code, sentence: says });
});

test('the docs explain every code', () => {
  const docs = readFileSync(
    resolve(import.meta.dirname, '../../../docs/finding-a-push.md'),
    'utf8',
  );
  const missing = new Set(
    CASES.map(({ code }) => code).filter((code) => !docs.includes(`\`${code}\``)),
  );
  expect([...missing]).toEqual([]);
});

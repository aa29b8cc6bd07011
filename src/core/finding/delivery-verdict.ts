// What became of one delivery, and what to do about it: a stable code for programs and one sentence for a person.

import { lifetimeEndMs, usefulUntilMs } from '../notification.ts';
import type { DeliveryWake } from '../ports/receipts.ts';
import type { LoggedDelivery, QuarantineEntry } from '../ports/store.ts';
import { describePhone, describeWake } from '../receipts/conclusion.ts';
import { type Circumstances, findCause, isPresentStop, ofLane } from './cause.ts';
import { durationOf, momentOf, nameOfProvider, stateOf } from './words.ts';

export interface Verdict {
  /** One of docs/finding-a-push.md. */
  readonly code: string;
  readonly sentence: string;
}

/** What happened around a delivery. */
export interface Surroundings extends Circumstances {
  readonly quarantined: readonly QuarantineEntry[];
  readonly nowMs: number;
}

/** From here on a push counts as late: callers are promised that most take less time. */
const LATE_FROM_MS = 1_000;
const SENDING_FOR_MS = 10_000;
/** A delivery that ends so long before its useful life does has not waited for it. */
const GIVEN_UP_MS = 5_000;

export function judgeDelivery(delivery: LoggedDelivery, around: Surroundings): Verdict {
  const { code, sentence } = judgeEnd(delivery, around);
  const { status, wake } = delivery;
  // The phone was reached too late, or by a push that was not known to have arrived.
  if (status === 'delivered' || wake === undefined || wake.receipts.length === 0) {
    return { code, sentence };
  }
  return { code, sentence: `${sentence} ${sentenceOfPhone(wake, around)}` };
}

function judgeEnd(delivery: LoggedDelivery, around: Surroundings): Verdict {
  const { status, reason } = delivery;
  if (reason === 'interrupted') return interrupted(delivery);
  if (reason === 'internal_error') return INTERNAL;
  if (reason === 'duplicate') return REPEATED;
  switch (status) {
    case 'delivered':
      return judgeDelivered(delivery, around);
    case 'queued':
      return judgeQueued(delivery, around);
    case 'expired':
      return judgeExpired(delivery, around);
    case 'unregistered':
      return {
        code: 'token_dead',
        sentence: `Not delivered: ${nameOfProvider(delivery.provider)} says that the token is dead (${reason}): the app was removed or its token changed, and the wallet must register its new one.`,
      };
    case 'misconfigured':
      return judgeMisconfigured(delivery);
    case 'rejected':
      return judgeRejected(delivery);
  }
}

/** If several phones are refused for a reason that concerns their tokens, the configuration is wrong. */
function judgeMisconfigured({ provider, app, reason = '' }: LoggedDelivery): Verdict {
  const name = nameOfProvider(provider);
  const rule = Object.hasOwn(REJECTIONS, reason) ? REJECTIONS[reason] : undefined;
  const sentence =
    rule === undefined
      ? `Not delivered: ${name} refuses what is configured for the app ${app} (${reason}); \`nds doctor\` says which value is wrong.`
      : `Not delivered, nor to other phones of this app: ${rule.text(name, app)}`;
  return { code: 'misconfigured', sentence };
}

const INTERNAL: Verdict = {
  code: 'internal_error',
  sentence:
    'Not delivered because of a fault in nds: please report the stack of `internal_fault` in its output.',
};

const REPEATED: Verdict = {
  code: 'repeated',
  sentence:
    'Not sent: this call was a duplicate, but the slow database stored its row anyway; the first call has its own delivery.',
};

function interrupted({ receivedAtMs }: LoggedDelivery): Verdict {
  return {
    code: 'perhaps_delivered',
    sentence: `Perhaps delivered: nds ended during the first try at ${momentOf(receivedAtMs)}, and none after it succeeded in time.`,
  };
}

function judgeDelivered(delivery: LoggedDelivery, around: Surroundings): Verdict {
  const { provider, wake, attempts } = delivery;
  const isTaken = attempts.some(({ outcome }) => outcome === 'delivered');
  if (delivery.reason === 'receipt' && !isTaken) return judgeProven(delivery, around);
  const acceptedAtMs = acceptedAtMsOf(delivery);
  const afterMs = acceptedAtMs - delivery.receivedAtMs;
  if (afterMs > LATE_FROM_MS) return judgeLate(delivery, afterMs, around);
  const inTime =
    afterMs < 0
      ? 'Delivered (how long after the call is not known: the clock was set back)'
      : `Delivered ${durationOf(afterMs)} after the call`;
  if (delivery.answeredAtMs !== undefined) {
    const replyMs = delivery.answeredAtMs - acceptedAtMs;
    const sentence = `${inTime}, and the phone replied ${durationOf(replyMs)} later.`;
    return { code: 'replied', sentence };
  }
  if (delivery.told === 'no_reply') {
    const phone = wake?.isAsked === true ? `${describePhone(wake, around.nowMs)}; ` : '';
    const sentence = `${inTime}, but the phone did not reply in time: ${phone}${PHONE}.`;
    return { code: 'no_reply', sentence };
  }
  if (wake?.isAsked === true) {
    return {
      code: 'delivered',
      sentence: `${inTime}: ${describeWake({ ...wake, acceptedAtMs }, around.nowMs)}.`,
    };
  }
  return {
    code: 'delivered',
    sentence: `${inTime}: ${nameOfProvider(provider)} took the push; if the phone did not wake, ${PHONE}.`,
  };
}

/** The delivery ended because the phone itself answered. */
function judgeProven(delivery: LoggedDelivery, { nowMs }: Surroundings): Verdict {
  const { provider, receivedAtMs, answeredAtMs, wake } = delivery;
  const name = nameOfProvider(provider);
  const replied =
    answeredAtMs === undefined
      ? 'it sent a receipt'
      : `it replied ${durationOf(answeredAtMs - receivedAtMs)} after the call`;
  const phone = wake?.isAsked === true ? describePhone(wake, nowMs) : replied;
  const code = answeredAtMs === undefined ? 'delivered' : 'replied';
  return {
    code,
    sentence: `Delivered: ${name} did not confirm the push, but the phone did: ${phone}.`,
  };
}

function sentenceOfPhone(wake: DeliveryWake, { nowMs }: Surroundings): string {
  const phone = describePhone(wake, nowMs);
  return `${phone.charAt(0).toUpperCase()}${phone.slice(1)}.`;
}

/** When the provider took it, not when the log had it. */
export function acceptedAtMsOf({ attempts, receivedAtMs, settledAtMs }: LoggedDelivery): number {
  const taken = attempts.findLast(({ outcome }) => outcome === 'delivered');
  return taken === undefined ? (settledAtMs ?? receivedAtMs) : taken.startedAtMs + taken.latencyMs;
}

const PHONE = 'see docs/troubleshooting.md#delivered-but-the-phone-did-not-wake';

function judgeLate(delivery: LoggedDelivery, afterMs: number, around: Surroundings): Verdict {
  const { kind, text } = findCause(delivery, around);
  const late = `Delivered ${durationOf(afterMs)} late: ${text}.`;
  const { wake } = delivery;
  const code = kind === 'other' ? 'delivered_late' : `delivered_late_${kind}`;
  return {
    code,
    sentence: wake?.isAsked === true ? `${late} ${sentenceOfPhone(wake, around)}` : late,
  };
}

function judgeExpired(delivery: LoggedDelivery, around: Surroundings): Verdict {
  const { receivedAtMs, lifetimeMs, reason } = delivery;
  if (reason === 'uncertain') {
    const sentence = `Perhaps delivered: ${nameOfProvider(delivery.provider)} left ${delivery.attempts.length} tries unanswered, and the phone may have got one of them.`;
    return { code: 'perhaps_delivered', sentence };
  }
  const usefulMs = usefulUntilMs(lifetimeEndMs(delivery), lifetimeMs) - receivedAtMs;
  const useful = `the ${durationOf(usefulMs)} for which the push was useful`;
  const cause = findCause(delivery, around);
  const code = cause.kind === 'other' ? 'expired' : `expired_${cause.kind}`;
  const isWoken = (delivery.wake?.receipts.length ?? 0) > 0;
  const not = isWoken ? 'Not delivered in time' : 'Not delivered';
  const { settledAtMs = receivedAtMs } = delivery;
  // The caller got a refusal at once.
  const isGivenUp = settledAtMs - receivedAtMs < usefulMs - GIVEN_UP_MS;
  const end = isGivenUp ? `and no other try could start in ${useful}` : `until ${useful} were over`;
  return { code, sentence: `${not}: ${cause.text}, ${end}.` };
}

function judgeRejected({ provider, reason = '', told, app }: LoggedDelivery): Verdict {
  const rule = Object.hasOwn(REJECTIONS, reason) ? REJECTIONS[reason] : undefined;
  if (rule !== undefined) {
    return {
      code: rule.code,
      sentence: `Not delivered: ${rule.text(nameOfProvider(provider), app)}`,
    };
  }
  if (told === 'token_rejected' || reason === 'malformed_token') {
    const sentence = `Not delivered: ${nameOfProvider(provider)} does not know this token (${reason}): compare it with what the app reports.`;
    return { code: 'bad_token', sentence };
  }
  const sentence = `Not delivered: ${nameOfProvider(provider)} refuses the message (${reason}): please report this reason.`;
  return { code: 'message_rejected', sentence };
}

interface Rejection {
  readonly code: string;
  readonly text: (provider: string, app: string) => string;
}

const REJECTIONS: Readonly<Record<string, Rejection>> = {
  BadDeviceToken: {
    code: 'bad_token',
    text: (provider) =>
      `${provider} does not know this token (BadDeviceToken): it is of the other environment (builds of Xcode have sandbox tokens, all others production: compare APNS_ENVIRONMENT with the build), or mistyped.`,
  },
  DeviceTokenNotForTopic: {
    code: 'wrong_topic',
    text: (_, app) =>
      `the token is of another app than the topic configured for ${app} (DeviceTokenNotForTopic): compare APNS_TOPIC with the bundle id of the build.`,
  },
  SENDER_ID_MISMATCH: {
    code: 'wrong_project',
    text: (_, app) =>
      `the token is of another Firebase project than the one configured for ${app} (SENDER_ID_MISMATCH): compare it with the app’s google-services.json.`,
  },
  THIRD_PARTY_AUTH_ERROR: {
    code: 'firebase_lacks_apns_key',
    text: () =>
      'Firebase has no valid APNs key for this iOS app (THIRD_PARTY_AUTH_ERROR): upload it in the Firebase console, Cloud Messaging.',
  },
  device_deleted: {
    code: 'device_deleted',
    text: () => 'the device was deleted while its push waited; the wallet must register again.',
  },
};

function judgeQueued(delivery: LoggedDelivery, around: Surroundings): Verdict {
  const { receivedAtMs, lifetimeMs, provider, attempts, told } = delivery;
  const { nowMs } = around;
  const endsAtMs = usefulUntilMs(lifetimeEndMs(delivery), lifetimeMs);
  const until = `until ${momentOf(endsAtMs, receivedAtMs)}`;
  const stop = around.gaps.findLast(isPresentStop);
  const stopped =
    stop && `nds has not been running since ${momentOf(stop.beganAtMs, receivedAtMs)}`;
  if (nowMs > lifetimeEndMs(delivery)) {
    const why = stopped ?? 'nds is not running, or is behind; check whether it is up';
    const sentence = `Still open although it was useful only ${until}: ${why}.`;
    return { code: 'queued_overdue', sentence };
  }
  if (stopped !== undefined) {
    const first = attempts.length === 0 ? ' A first try may have been under way then.' : '';
    const sentence = `Waiting: ${stopped}; start it, and it tries this push ${until}.${first}`;
    return { code: 'queued_stopped', sentence };
  }
  const held = around.quarantined.find(({ kind }) => kind === 'throttled');
  if (held !== undefined && held.untilMs > nowMs) {
    const sentence = `Waiting: ${nameOfProvider(provider)} takes no more pushes for this token until ${momentOf(held.untilMs, receivedAtMs)} (${held.reason}); it is tried again automatically ${until}.`;
    return { code: 'queued_throttled', sentence };
  }
  const outage = ofLane(delivery, around.outages).findLast((one) => one.endedAtMs === undefined);
  if (outage !== undefined) {
    const sentence = `Waiting: ${nameOfProvider(provider)} has been ${stateOf(outage.reason)} since ${momentOf(outage.beganAtMs, receivedAtMs)}; it is sent as soon as that is over, ${until}.`;
    return { code: 'queued_outage', sentence };
  }
  const last = attempts.at(-1);
  // An answer `queued` means that the push waits.
  const isNew = told === undefined && nowMs - receivedAtMs < SENDING_FOR_MS;
  if (last === undefined && isNew) {
    return { code: 'sending', sentence: 'It is being sent at this moment.' };
  }
  const why =
    last === undefined ? 'its first try' : `its next try after ${last.reason ?? 'no answer'}`;
  return { code: 'queued', sentence: `Waiting for ${why}; it is tried automatically ${until}.` };
}

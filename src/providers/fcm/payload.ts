// A push as FCM's REST interface wants it: a data message, so that the app and not the system handles it. Pure.
// Firebase: "REST Resource: projects.messages", "Set and manage Android message priority".

import type { AndroidConfig, ApnsConfig, TokenMessage } from 'firebase-admin/messaging';
import type { PushMessage } from '../../core/ports/provider.ts';
import {
  analyticsLabelOf,
  DEFAULT_FORMAT,
  type PushFormat,
  priorityOf,
} from '../../core/push-format.ts';

/** firebase-admin's message, with the fields that have other names in the REST form. */
export interface FcmRestMessage extends Pick<TokenMessage, 'token' | 'data'> {
  readonly android?: {
    readonly priority: NonNullable<AndroidConfig['priority']>;
    /** google.protobuf.Duration in JSON: `41s`, or `41.500000000s`. */
    readonly ttl: string;
  };
  readonly apns?: {
    readonly headers: NonNullable<ApnsConfig['headers']>;
    readonly payload: {
      readonly aps: {
        readonly alert: { readonly title: string } | { readonly 'title-loc-key': string };
        readonly 'mutable-content': 1;
      };
      /** The receipt, as APNs itself would bring it. */
      readonly [key: string]: unknown;
    };
  };
  readonly fcm_options?: { readonly analytics_label: string } | undefined;
}

export interface FcmPayload {
  /** The JSON that `messages:send` takes. */
  readonly body: string;
  readonly excessBytes: number;
  /** It had no room for the receipt's address. */
  readonly lacksReceipt: boolean;
}

/** "About FCM messages": the maximum payload is 4096 bytes; of a data message its keys and values count. */
const MAX_FCM_PAYLOAD_BYTES = 4_096;

export function buildFcmPayload(push: PushMessage, format = DEFAULT_FORMAT): FcmPayload {
  const whole = messageOf(push, format);
  const lacksReceipt = push.receipt !== undefined && excessOf(whole) > 0;
  const message = lacksReceipt ? messageOf({ ...push, receipt: undefined }, format) : whole;
  return { body: JSON.stringify({ message }), excessBytes: excessOf(message), lacksReceipt };
}

function messageOf(push: PushMessage, format: PushFormat): FcmRestMessage {
  const { keys } = format;
  const data: Record<string, string> = {
    [keys.type]: push.type,
    [keys.payload]: push.payload,
  };
  if (push.appData !== undefined) data[keys.appData] = push.appData;
  // Every value there is a string.
  if (push.receipt !== undefined && push.platform === 'android') {
    data[keys.receipt] = JSON.stringify(push.receipt);
  }
  const form = push.platform === 'ios' ? formForIos(push, format) : formForAndroid(push, format);
  return {
    token: push.token,
    data,
    ...form,
    fcm_options: format.hasAnalyticsLabel
      ? { analytics_label: analyticsLabelOf(push.type) }
      : undefined,
  };
}

function excessOf(message: FcmRestMessage): number {
  return Math.max(0, payloadBytes(message) - MAX_FCM_PAYLOAD_BYTES);
}

type Form = Pick<FcmRestMessage, 'android' | 'apns'>;

/** Always with a time to live: FCM's default keeps a push for four weeks. */
function formForAndroid({ type, remainingMs }: PushMessage, format: PushFormat): Form {
  return { android: { priority: priorityOf(format, type), ttl: duration(remainingMs) } };
}

/**
 * FCM hands it to APNs. It refuses priority 10 unless there is an alert, and without alert and `mutable-content` the
 * service extension does not run.
 */
function formForIos(push: PushMessage, { keys }: PushFormat): Form {
  const { title, titleLocKey, receipt } = push;
  const alert = titleLocKey === undefined ? { title } : { 'title-loc-key': titleLocKey };
  const headers = {
    'apns-priority': '10',
    'apns-push-type': 'alert',
    'apns-expiration': String(push.expiresAtUnixSeconds),
    // A second try of the same push replaces the first on the phone.
    'apns-collapse-id': push.collapseId ?? push.id,
  };
  const own = receipt === undefined ? {} : { [keys.receipt]: receipt };
  return { apns: { headers, payload: { ...own, aps: { alert, 'mutable-content': 1 } } } };
}

/** At APNs the data keys stand beside `aps`. */
function payloadBytes({ data = {}, apns }: FcmRestMessage): number {
  if (apns === undefined) return dataBytes(data);
  const asApnsGetsIt = JSON.stringify({ ...data, ...apns.payload });
  return Math.max(dataBytes(data), Buffer.byteLength(asApnsGetsIt));
}

/** Whole seconds without decimals, others with nine, as firebase-admin writes them. */
function duration(remainingMs: number): string {
  const ms = Math.max(0, Math.floor(remainingMs));
  const seconds = Math.floor(ms / 1_000);
  const rest = ms % 1_000;
  return rest === 0 ? `${seconds}s` : `${seconds}.${String(rest).padStart(3, '0')}000000s`;
}

function dataBytes(data: Readonly<Record<string, string>>): number {
  return Object.entries(data).reduce(
    (total, [key, value]) => total + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
}

/**
 * "Method: projects.messages.send": with `validate_only` the request is tested without being delivered. A topic, since
 * no token is known to be good; nobody needs to have subscribed to it.
 */
export function buildFcmProof(): string {
  const message = { topic: 'nds-doctor', data: { notification_type: 'nds_doctor' } };
  return JSON.stringify({ validate_only: true, message });
}

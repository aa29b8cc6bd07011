// A push as FCM's REST interface wants it: a data message, so that the app and not the system handles it. Pure.
// Firebase: "REST Resource: projects.messages", "Set and manage Android message priority".

import type { AndroidConfig, ApnsConfig, TokenMessage } from 'firebase-admin/messaging';
import type { PushMessage } from '../../core/ports/provider.ts';

/** firebase-admin's message with the two fields that its REST form spells otherwise. */
export interface FcmRestMessage extends Pick<TokenMessage, 'token' | 'data'> {
  readonly android?: {
    readonly priority: NonNullable<AndroidConfig['priority']>;
    /** google.protobuf.Duration in JSON: `41s`, or `41.500000000s`. */
    readonly ttl: string;
  };
  readonly apns?: {
    readonly headers: NonNullable<ApnsConfig['headers']>;
    readonly payload: {
      readonly aps: { readonly alert: { readonly title: string }; readonly 'mutable-content': 1 };
    };
  };
}

export interface FcmPayload {
  /** The JSON that `messages:send` takes. */
  readonly body: string;
  readonly excessBytes: number;
}

/** "About FCM messages": the maximum payload is 4096 bytes; of a data message its keys and values count. */
const MAX_FCM_PAYLOAD_BYTES = 4_096;

export function buildFcmPayload(push: PushMessage): FcmPayload {
  const data: Record<string, string> = {
    notification_type: push.type,
    notification_payload: push.payload,
  };
  if (push.appData !== undefined) data.app_data = push.appData;
  return push.platform === 'ios' ? forIos(push, data) : forAndroid(push, data);
}

function forAndroid(push: PushMessage, data: Readonly<Record<string, string>>): FcmPayload {
  return payloadOf({
    // Always with a time to live: FCM's default keeps a push for four weeks.
    message: {
      token: push.token,
      data,
      android: { priority: 'high', ttl: duration(push.remainingMs) },
    },
    bytes: dataBytes(data),
  });
}

/**
 * FCM hands it to APNs, where the data keys stand beside `aps`. FCM refuses priority 10 unless there is an
 * alert, and without alert and `mutable-content` the service extension does not run.
 */
function forIos(push: PushMessage, data: Readonly<Record<string, string>>): FcmPayload {
  const aps = { alert: { title: push.title }, 'mutable-content': 1 } as const;
  const headers = {
    'apns-priority': '10',
    'apns-push-type': 'alert',
    'apns-expiration': String(push.expiresAtUnixSeconds),
    // A second try of the same push replaces the first on the phone.
    'apns-collapse-id': push.id,
  };
  const asApnsGetsIt = JSON.stringify({ ...data, aps });
  return payloadOf({
    message: { token: push.token, data, apns: { headers, payload: { aps } } },
    bytes: Math.max(dataBytes(data), Buffer.byteLength(asApnsGetsIt)),
  });
}

function payloadOf({
  message,
  bytes,
}: {
  readonly message: FcmRestMessage;
  readonly bytes: number;
}): FcmPayload {
  return {
    body: JSON.stringify({ message }),
    excessBytes: Math.max(0, bytes - MAX_FCM_PAYLOAD_BYTES),
  };
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

// A push as FCM wants it: a data message, so that the app and not the system handles it. Pure.
// Firebase: "REST Resource: projects.messages", "Set and manage Android message priority".

import type { TokenMessage } from 'firebase-admin/messaging';
import type { PushMessage } from '../../core/ports/provider.ts';

export interface FcmPayload {
  readonly message: TokenMessage;
  readonly excessBytes: number;
}

/** "About FCM messages": the maximum payload is 4096 bytes; of a data message its keys and values count. */
const MAX_FCM_PAYLOAD_BYTES = 4_096;

export function buildFcmPayload(push: PushMessage): FcmPayload {
  const data = {
    notification_type: push.type,
    notification_payload: push.payload,
    ...(push.appData === undefined ? {} : { app_data: push.appData }),
  };
  if (push.platform === 'ios') return forIos(push, data);
  const message: TokenMessage = {
    token: push.token,
    data,
    android: {
      priority: 'high',
      // Always set: FCM's default keeps a push for four weeks.
      ttl: Math.max(0, Math.floor(push.remainingMs)),
    },
  };
  return { message, excessBytes: excess(dataBytes(data)) };
}

/**
 * FCM hands it to APNs, where the data keys stand beside `aps`. FCM refuses priority 10 unless there is an
 * alert, and without alert and `mutable-content` the service extension does not run.
 */
function forIos(push: PushMessage, data: Readonly<Record<string, string>>): FcmPayload {
  const title = { title: push.title };
  const message: TokenMessage = {
    token: push.token,
    data,
    apns: {
      headers: {
        'apns-priority': '10',
        'apns-push-type': 'alert',
        'apns-expiration': String(push.expiresAtUnixSeconds),
        // A second try of the same push replaces the first on the phone.
        'apns-collapse-id': push.id,
      },
      payload: { aps: { alert: title, mutableContent: true } },
    },
  };
  const asApnsGetsIt = JSON.stringify({ ...data, aps: { alert: title, 'mutable-content': 1 } });
  return {
    message,
    excessBytes: excess(Math.max(dataBytes(data), Buffer.byteLength(asApnsGetsIt))),
  };
}

function dataBytes(data: Readonly<Record<string, string>>): number {
  return Object.entries(data).reduce(
    (total, [key, value]) => total + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
}

function excess(bytes: number): number {
  return Math.max(0, bytes - MAX_FCM_PAYLOAD_BYTES);
}

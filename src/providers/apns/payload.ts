// A push as APNs wants it: headers and JSON body. Pure.
// Apple, "Sending notification requests to APNs" and "Modifying content in newly delivered notifications":
// the service extension runs only for an alert with `mutable-content: 1`.

import { Notification } from '@parse/node-apn';
import type { PushMessage } from '../../core/ports/provider.ts';
import type { TransportRequest } from '../transport/exchange.ts';

export interface ApnsPayload {
  readonly headers: TransportRequest['headers'];
  readonly body: string;
  readonly excessBytes: number;
}

/** "Creating the payload": for regular remote notifications the maximum is 4 KB (4096 bytes). */
const MAX_APNS_PAYLOAD_BYTES = 4_096;

export function buildApnsPayload(message: PushMessage, topic: string): ApnsPayload {
  // A new object for each push: node-apn keeps the compiled body in it.
  const notification = new Notification();
  notification.topic = topic;
  notification.pushType = 'alert';
  notification.priority = 10;
  notification.expiry = message.expiresAtUnixSeconds;
  notification.id = message.id;
  // A second try of the same push replaces the first on the phone.
  notification.collapseId = message.id;
  notification.aps = { alert: { title: message.title }, 'mutable-content': 1 };
  notification.payload = {
    notification_type: message.type,
    notification_payload: message.payload,
    ...(message.appData === undefined ? {} : { app_data: message.appData }),
  };
  return {
    headers: notification.headers(),
    body: notification.compile(),
    excessBytes: Math.max(0, notification.length() - MAX_APNS_PAYLOAD_BYTES),
  };
}

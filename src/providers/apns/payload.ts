// A push as APNs wants it: headers and JSON body. Pure.
// Apple, "Sending notification requests to APNs" and "Modifying content in newly delivered notifications":
// the service extension runs only for an alert with `mutable-content: 1`.

import type { PushMessage } from '../../core/ports/provider.ts';
import { DEFAULT_FORMAT, type PushFormat } from '../../core/push-format.ts';
import type { HttpRequest } from '../http2/client.ts';

export interface ApnsPayload {
  readonly headers: HttpRequest['headers'];
  readonly body: string;
  readonly excessBytes: number;
  /** It had no room for the receipt's address. */
  readonly lacksReceipt: boolean;
}

/** "Creating the payload": for regular remote notifications the maximum is 4 KB (4096 bytes). */
const MAX_APNS_PAYLOAD_BYTES = 4_096;

export function buildApnsPayload(
  message: PushMessage,
  topic: string,
  format: PushFormat = DEFAULT_FORMAT,
): ApnsPayload {
  const whole = bodyOf(message, format);
  const lacksReceipt = message.receipt !== undefined && excessOf(whole) > 0;
  const body = lacksReceipt ? bodyOf({ ...message, receipt: undefined }, format) : whole;
  return {
    headers: {
      'apns-topic': topic,
      'apns-push-type': 'alert',
      'apns-priority': '10',
      'apns-expiration': String(message.expiresAtUnixSeconds),
      'apns-id': message.id,
      // A second try of the same push replaces the first on the phone.
      'apns-collapse-id': message.collapseId ?? message.id,
    },
    body,
    excessBytes: excessOf(body),
    lacksReceipt,
  };
}

function bodyOf(message: PushMessage, { keys }: PushFormat): string {
  const { title, titleLocKey } = message;
  return JSON.stringify({
    [keys.type]: message.type,
    [keys.payload]: message.payload,
    [keys.appData]: message.appData,
    [keys.receipt]: message.receipt,
    aps: {
      alert: titleLocKey === undefined ? { title } : { 'title-loc-key': titleLocKey },
      'mutable-content': 1,
    },
  });
}

function excessOf(body: string): number {
  return Math.max(0, Buffer.byteLength(body) - MAX_APNS_PAYLOAD_BYTES);
}

/** By this a provider's log and the stand-in recognise a proof. */
const PROOF_NAME = 'nds-doctor';

/** The push of a proof, which no phone gets: not stored, at the lowest priority. */
export function buildApnsProof({
  id,
  topic,
}: {
  readonly id: string;
  readonly topic: string;
}): Pick<ApnsPayload, 'headers' | 'body'> {
  return {
    headers: {
      'apns-topic': topic,
      'apns-push-type': 'alert',
      'apns-priority': '5',
      'apns-expiration': '0',
      'apns-id': id,
      'apns-collapse-id': PROOF_NAME,
    },
    body: JSON.stringify({ aps: { alert: { title: PROOF_NAME } } }),
  };
}

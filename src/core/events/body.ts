// The body of a call to an endpoint: `{type, timestamp, data}`. A test compares it with the published schemas.

import { createHash } from 'node:crypto';
import type { Dropped, VendorEvent } from '../ports/events.ts';
import { normalSubject } from '../subject.ts';

/** Far above what a body has; Standard Webhooks advises 20 kB. */
export const MAX_BODY_BYTES = 20_000;

/** Lower-case hex SHA-256 of a normalised push token: what the vendor can compute from its own copy. */
export function tokenSha256(token: string): string {
  return sha256(token);
}

/** The same of a payment hash or swap id, its hex digits in lower case. */
export function subjectSha256(subject: string): string {
  return sha256(normalSubject(subject));
}

/** `user` is the user for whom the device is registered now. */
export function bodyOf(event: VendorEvent, user: string | undefined): string {
  return write(event, {
    delivery_id: event.deliveryId,
    device_id: event.deviceId,
    user,
    app: event.app,
    provider: event.provider,
    notification_type: event.notificationType,
    reason: event.reason,
    token_sha256: event.tokenSha256,
    subject_sha256: event.subjectSha256,
    endpoint_id: event.endpointId,
  });
}

export function droppedBodyOf(event: VendorEvent, { count, fromMs, toMs }: Dropped): string {
  return write(event, { from: iso(fromMs), to: iso(toMs), count });
}

function write({ type, atMs }: VendorEvent, data: object): string {
  return JSON.stringify({ type, timestamp: iso(atMs), data });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

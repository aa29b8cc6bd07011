// Deliveries as the log has them, and one more try of one that waits.

import { validate } from 'uuid';
import { z } from 'zod';
import { STATUSES } from '../../core/delivery.ts';
import { ServiceError } from '../../core/errors.ts';
import type { LoggedAttempt, LoggedDelivery } from '../../core/ports/store.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import type { OperatorParts } from './parts.ts';
import {
  appName,
  checkQuery,
  isoOf,
  next,
  pageCursor,
  pageLimit,
  since,
  sinceMs,
  time,
} from './query.ts';

const status = z.enum(STATUSES);
const provider = z.enum(['apns', 'apns_sandbox', 'fcm']);

export const listDeliveriesQuery = z.strictObject({
  app: appName.optional(),
  provider: provider.optional(),
  type: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a notification type')
    .optional(),
  status: status.optional(),
  since,
  cursor: pageCursor,
  limit: pageLimit,
});

export const attemptAnswer = z.strictObject({
  number: z.int(),
  started_at: time,
  latency_ms: z.int(),
  outcome: z.string(),
  reason: z.string().optional(),
  message_id: z.string().optional(),
});

export const deliveryAnswer = z.strictObject({
  id: z.uuid(),
  received_at: time,
  settled_at: time.optional(),
  status,
  reason: z.string().optional(),
  app: z.string(),
  platform: z.enum(['ios', 'android']),
  provider,
  type: z.string(),
  device_id: z.uuid().optional(),
  token_fingerprint: z.string(),
  subject_fingerprint: z.string().optional(),
  door: z.string().optional(),
  source: z.string().optional(),
  request_id: z.string().optional(),
  told: z.string().optional(),
  told_status: z.int().optional(),
  told_at: time.optional(),
  repeats: z.int(),
  repeated_at: time.optional(),
  answered_at: time.optional(),
  attempts: z.array(attemptAnswer),
});

export const listDeliveriesAnswer = z.strictObject({ deliveries: z.array(deliveryAnswer), next });

export const retryAnswer = z.strictObject({
  id: z.uuid(),
  status: z.literal('queued'),
  attempt: z.enum(['starts', 'under_way', 'waits_for_provider']),
});

/** GET /api/v1/deliveries */
export async function handleListDeliveries(
  { clock, operating }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const { since: from, ...query } = checkQuery(listDeliveriesQuery, c);
  const page = await reading(() =>
    operating.listDeliveries({ ...query, sinceMs: sinceMs(from, clock) }),
  );
  return json(c, {
    deliveries: page.entries.map(describeDelivery),
    next: page.next?.toString(),
  } satisfies z.output<typeof listDeliveriesAnswer>);
}

/** GET /api/v1/deliveries/:id */
export async function handleReadDelivery(
  { store }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const id = deliveryId(c);
  const [delivery] = await reading(() => store.findDeliveries({ id, limit: 1 }));
  if (delivery === undefined) throw new ServiceError('unknown_delivery');
  return json(c, describeDelivery(delivery));
}

/** POST /api/v1/deliveries/:id/retry */
export async function handleRetry(parts: OperatorParts, c: HttpContext): Promise<Response> {
  const id = deliveryId(c);
  const attempt = await reading(() => parts.operations.retry(id));
  return json(c, { id, status: 'queued', attempt } satisfies z.output<typeof retryAnswer>);
}

function deliveryId(c: HttpContext): string {
  const id = (c.req.param('id') ?? '').toLowerCase();
  if (!validate(id)) throw new ServiceError('unknown_delivery');
  return id;
}

function describeDelivery(delivery: LoggedDelivery): z.output<typeof deliveryAnswer> {
  return {
    id: delivery.id,
    received_at: isoOf(delivery.receivedAtMs),
    settled_at: isoOf(delivery.settledAtMs),
    status: delivery.status,
    reason: delivery.reason,
    app: delivery.app,
    platform: delivery.platform,
    provider: delivery.provider,
    type: delivery.type,
    device_id: delivery.deviceId,
    token_fingerprint: delivery.tokenHash,
    subject_fingerprint: delivery.subjectHash,
    door: delivery.door,
    source: delivery.source,
    request_id: delivery.requestId,
    told: delivery.told,
    told_status: delivery.toldStatus,
    told_at: isoOf(delivery.toldAtMs),
    repeats: delivery.repeats,
    repeated_at: isoOf(delivery.repeatedAtMs),
    answered_at: isoOf(delivery.answeredAtMs),
    attempts: delivery.attempts.map(describeAttempt),
  };
}

function describeAttempt(attempt: LoggedAttempt): z.output<typeof attemptAnswer> {
  return {
    number: attempt.number,
    started_at: isoOf(attempt.startedAtMs),
    latency_ms: attempt.latencyMs,
    outcome: attempt.outcome,
    reason: attempt.reason,
    message_id: attempt.messageId,
  };
}

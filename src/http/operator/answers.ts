// Deliveries and refusals in answers: the output of core/finding/json.ts, by name and type.

import { z } from 'zod';
import { STATUSES } from '../../core/delivery.ts';
import { PRIORITIES, REASONS, STAGES } from '../../core/receipts/receipt.ts';

/** ISO 8601, in UTC. */
export const time = z.iso.datetime();
/** Where the next page begins; absent at the end. A page may be short, or empty, and still have it. */
export const next = z.string().optional();
export const status = z.enum(STATUSES);
export const provider = z.enum(['apns', 'apns_sandbox', 'fcm']);
export const platform = z.enum(['ios', 'android']);

const verdictAnswer = z.strictObject({ code: z.string(), sentence: z.string() });

const attemptAnswer = z.strictObject({
  number: z.int(),
  started_at: time,
  latency_ms: z.int(),
  outcome: z.string(),
  reason: z.string().optional(),
  message_id: z.string().optional(),
});

const wakeAnswer = z.strictObject({
  conclusion: z.enum(['woke', 'late', 'demoted', 'no_receipt', 'unknown', 'not_asked']),
  stage: z.enum(STAGES).optional(),
  why: z.enum(REASONS).optional(),
  text: z.string(),
  accepted_at: time.optional(),
  knocked_at: time.optional(),
  knock_result: z.enum(['rescued', 'late', 'useless']).optional(),
  receipts: z.array(
    z.strictObject({
      at: time,
      stage: z.enum(STAGES),
      n: z.int(),
      t: z.int().optional(),
      why: z.enum(REASONS).optional(),
      shown: z.boolean().optional(),
      priority: z.enum(PRIORITIES).optional(),
      original: z.enum(PRIORITIES).optional(),
    }),
  ),
});

export const deliveryAnswer = z.strictObject({
  id: z.uuid(),
  app: z.string(),
  platform,
  provider,
  type: z.string(),
  device_id: z.uuid().optional(),
  status,
  reason: z.string().optional(),
  /** What happened and what to do; in answers of `find`. */
  verdict: verdictAnswer.optional(),
  door: z.string().optional(),
  source: z.string().optional(),
  request_id: z.string().optional(),
  received_at: time,
  settled_at: time.optional(),
  lifetime_ms: z.int(),
  /** What the caller was answered, when that is known. */
  told: z.string().optional(),
  told_status: z.int().optional(),
  told_at: time.optional(),
  repeats: z.int(),
  repeated_at: time.optional(),
  renewed_at: time.optional(),
  /** When the phone replied. */
  answered_at: time.optional(),
  /** For an app with receipts: what is known about the wake that the push should cause. */
  wake: wakeAnswer.optional(),
  token_fingerprint: z.string(),
  subject_fingerprint: z.string().optional(),
  attempts: z.array(attemptAnswer),
});

export const refusalAnswer = z.strictObject({
  code: z.string(),
  status: z.int(),
  door: z.string(),
  source: z.string().optional(),
  app: z.string().optional(),
  at: time,
  last_at: time,
  /** Calls of the same kind within a minute are one entry. */
  count: z.int(),
  request_id: z.string().optional(),
  limit: z.string().optional(),
  fields: z.array(z.string()).optional(),
  device_id: z.string().optional(),
  node_id: z.string().optional(),
  delivery_id: z.string().optional(),
  token_fingerprint: z.string().optional(),
  subject_fingerprint: z.string().optional(),
  handle_fingerprint: z.string().optional(),
  address_fingerprint: z.string().optional(),
});

export const quarantineAnswer = z.strictObject({
  token_fingerprint: z.string(),
  app: z.string(),
  provider,
  /** Dead, or bad, or held back for a while. */
  kind: z.enum(['unregistered', 'bad_token', 'throttled']),
  reason: z.string(),
  since: time,
  until: time,
});

export const findAnswer = z.strictObject({
  /** What was asked for, without token or handle. */
  asked: z.string(),
  /** Empty if nothing is known about it. */
  found_by: z.array(
    z.enum(['delivery', 'request', 'device', 'token', 'subject', 'user', 'handle']),
  ),
  verdict: verdictAnswer,
  deliveries: z.array(deliveryAnswer),
  refusals: z.array(refusalAnswer),
  devices: z.array(
    z.strictObject({
      id: z.uuid(),
      app: z.string(),
      platform,
      registrar: z.enum(['backend', 'app', 'self']),
      created_at: time,
      seen_at: time,
      dead_since: time.optional(),
    }),
  ),
  quarantine: z.array(quarantineAnswer),
  outages: z.array(
    z.strictObject({
      app: z.string(),
      provider,
      reason: z.string(),
      began_at: time,
      ended_at: time.optional(),
    }),
  ),
  /** The oldest first. */
  timeline: z.array(
    z.strictObject({
      at: time,
      what: z.string(),
      text: z.string(),
      delivery_id: z.uuid().optional(),
    }),
  ),
  /** Since when every call has left a trace, except in the gaps. */
  log: z.strictObject({
    complete_since: time,
    gaps: z.array(
      z.strictObject({
        kind: z.enum(['stopped', 'store']),
        began_at: time,
        ended_at: time.optional(),
        unlogged: z.int(),
      }),
    ),
  }),
});

export const statsAnswer = z.strictObject({
  since: time,
  lanes: z.array(
    z.strictObject({
      app: z.string(),
      provider,
      delivered: z.int(),
      expired: z.int(),
      rejected: z.int(),
      queued: z.int(),
      /** From receipt to the provider’s acceptance. */
      p50_ms: z.number().optional(),
      p99_ms: z.number().optional(),
    }),
  ),
  refused: z.array(z.strictObject({ app: z.string().optional(), count: z.int() })),
  /** The most frequent first. */
  why_not: z.array(
    z.strictObject({
      status: z.string(),
      reason: z.string(),
      app: z.string().optional(),
      provider: provider.optional(),
      count: z.int(),
      tokens: z.int(),
    }),
  ),
});

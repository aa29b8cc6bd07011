// Calls that were refused, as the log has them.

import { z } from 'zod';
import type { Refusal } from '../../core/ports/records.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import type { OperatorParts } from './parts.ts';
import {
  appName,
  checkQuery,
  fingerprint,
  isoOf,
  next,
  pageCursor,
  pageLimit,
  since,
  sinceMs,
  time,
} from './query.ts';

export const listRefusalsQuery = z.strictObject({
  app: appName.optional(),
  /** The pattern of a route. */
  door: z
    .string()
    .min(1, 'must not be empty')
    .max(100, 'must have at most 100 characters')
    .optional(),
  code: z
    .string()
    .regex(/^[a-z][a-z_]{0,63}$/, 'must be a code of docs/errors.md, or `duplicate`')
    .optional(),
  token: fingerprint.optional(),
  device: z.uuid('must be the id of a device').optional(),
  since,
  cursor: pageCursor,
  limit: pageLimit,
});

export const refusalAnswer = z.strictObject({
  at: time,
  last_at: time,
  /** Calls of the same kind within a minute are one entry. */
  count: z.int(),
  request_id: z.string().optional(),
  door: z.string(),
  source: z.string().optional(),
  app: z.string().optional(),
  code: z.string(),
  status: z.int(),
  limit: z.string().optional(),
  token_fingerprint: z.string().optional(),
  handle_fingerprint: z.string().optional(),
  subject_fingerprint: z.string().optional(),
  device_id: z.string().optional(),
  fields: z.array(z.string()).optional(),
  node_id: z.string().optional(),
  address_fingerprint: z.string().optional(),
  delivery_id: z.string().optional(),
});

export const listRefusalsAnswer = z.strictObject({ refusals: z.array(refusalAnswer), next });

/** GET /api/v1/refusals */
export async function handleListRefusals(
  { clock, operating }: OperatorParts,
  c: HttpContext,
): Promise<Response> {
  const { since: from, token, device, ...query } = checkQuery(listRefusalsQuery, c);
  const page = await reading(() =>
    operating.listRefusals({
      ...query,
      tokenHash: token,
      deviceId: device?.toLowerCase(),
      sinceMs: sinceMs(from, clock),
    }),
  );
  return json(c, {
    refusals: page.entries.map(describeRefusal),
    next: page.next?.toString(),
  } satisfies z.output<typeof listRefusalsAnswer>);
}

function describeRefusal(refusal: Refusal): z.output<typeof refusalAnswer> {
  return {
    at: isoOf(refusal.atMs),
    last_at: isoOf(refusal.lastAtMs),
    count: refusal.count,
    request_id: refusal.requestId,
    door: refusal.door,
    source: refusal.source,
    app: refusal.app,
    code: refusal.code,
    status: refusal.status,
    limit: refusal.limit,
    token_fingerprint: refusal.tokenHash,
    handle_fingerprint: refusal.handleHash,
    subject_fingerprint: refusal.subjectHash,
    device_id: refusal.deviceId,
    fields: refusal.fields?.split(','),
    node_id: refusal.nodeId,
    address_fingerprint: refusal.addressHash,
    delivery_id: refusal.deliveryId,
  };
}

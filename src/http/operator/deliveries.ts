// Deliveries as they are in the log, and another try of a waiting one.

import { validate } from 'uuid';
import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import { deliveryAsJson } from '../../core/finding/json.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import { deliveryAnswer, next, provider, status } from './answers.ts';
import type { OperatorParts } from './parts.ts';
import {
  appName,
  checkQuery,
  notificationType,
  pageCursor,
  pageLimit,
  since,
  sinceMs,
} from './query.ts';

export const listDeliveriesQuery = z.strictObject({
  app: appName.optional(),
  provider: provider.optional(),
  type: notificationType.optional(),
  status: status.optional(),
  since,
  cursor: pageCursor,
  limit: pageLimit(),
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
    deliveries: page.entries.map((delivery) => deliveryAsJson(delivery)),
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
  return json(c, deliveryAsJson(delivery) satisfies z.output<typeof deliveryAnswer>);
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

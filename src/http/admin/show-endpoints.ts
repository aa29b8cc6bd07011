// GET /admin/view/endpoints: where events are sent, and how well that works.

import { z } from 'zod';
import { healthDetail } from '../../core/events/health.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { describeEndpoint } from '../operator/endpoints.ts';
import { checkQuery } from '../operator/query.ts';
import { requireSession } from './access.ts';
import type { AdminParts } from './parts.ts';
import { piece } from './views/elements.ts';
import { renderEndpoints, type ShownEndpoint } from './views/endpoints-view.ts';

/** Attempts shown for each endpoint; an opened endpoint shows all that are kept. */
const LAST_ATTEMPTS = 5;
const ALL_ATTEMPTS = 100;

/** `id` opens one. */
const endpointsQuery = z.strictObject({ id: z.string().min(1).max(64).optional() });

export async function showEndpoints(
  { access, operator }: AdminParts,
  c: HttpContext,
): Promise<Response> {
  const { scopes } = requireSession(access, c, 'read');
  const { id } = checkQuery(endpointsQuery, c);
  const { endpoints, clock } = operator;
  await reading(() => endpoints.refresh());
  const outboxes = id === undefined ? endpoints.all : [endpoints.find(id)];
  const limit = id === undefined ? LAST_ATTEMPTS : ALL_ATTEMPTS;
  const shown = outboxes.map(async (outbox): Promise<ShownEndpoint> => {
    const attempts = await endpoints.attempts(outbox.endpoint.id, limit);
    return {
      endpoint: describeEndpoint(outbox),
      detail: healthDetail(outbox, { wallMs: clock.wallMs(), mailFault: endpoints.mailFault }),
      attempts,
    };
  });
  return await piece(
    c,
    renderEndpoints({
      endpoints: await reading(() => Promise.all(shown)),
      isOne: id !== undefined,
      scopes,
    }),
  );
}

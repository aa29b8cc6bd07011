// The apps as they are configured now, and the reading of their files again.

import { z } from 'zod';
import type { HttpContext } from '../context.ts';
import { json } from '../success.ts';
import { provider } from './answers.ts';
import type { OperatorParts } from './parts.ts';

export const appAnswer = z.strictObject({
  name: z.string(),
  providers: z.array(
    z.strictObject({
      name: provider,
      environment: z.enum(['production', 'sandbox']).optional(),
      status: z.enum(['ready', 'degraded', 'broken']),
      detail: z.string().optional(),
    }),
  ),
});

export const listAppsAnswer = z.strictObject({ apps: z.array(appAnswer) });

export const reloadAnswer = z.strictObject({
  status: z.literal('reloaded'),
  /** `app/provider` and `endpoint/id` of what was opened, closed and kept. */
  opened: z.array(z.string()),
  closed: z.array(z.string()),
  kept: z.array(z.string()),
  /** Variables that have changed, which only a restart applies. */
  needs_restart: z.array(z.string()),
});

/** GET /api/v1/apps */
export function handleListApps({ apps }: OperatorParts, c: HttpContext): Response {
  return json(c, { apps: [...apps()] } satisfies z.input<typeof listAppsAnswer>);
}

/** POST /api/v1/apps/reload: applies all changes or none. */
export async function handleReload({ reload }: OperatorParts, c: HttpContext): Promise<Response> {
  return json(c, { status: 'reloaded', ...(await reload()) });
}

// GET /healthz says that the process is alive, whatever else fails; GET /readyz says whether it can deliver and, if
// not, what is wrong. Calls from strangers cannot change either.

import type { HttpContext } from './context.ts';
import { json } from './success.ts';

export interface Readiness {
  readonly ready: boolean;
  /** This machine among those that share a database; absent where none share it. */
  readonly node?: string | undefined;
  /** One entry for each thing that can be wrong, by name. */
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
}

export interface ReadinessCheck {
  readonly ready: boolean;
  /** For an app at a provider: `degraded` means ready, but pushes fail that should not. */
  readonly status?: 'ready' | 'degraded' | 'broken';
  readonly detail?: string | undefined;
  /** ISO 8601, of the database: since when it takes no rows. */
  readonly since?: string | undefined;
}

export function handleHealth(c: HttpContext): Response {
  return json(c, { status: 'alive' });
}

export function handleReadiness(c: HttpContext, readiness: Readiness): Response {
  return c.json(readiness, readiness.ready ? 200 : 503, { 'Cache-Control': 'no-store' });
}

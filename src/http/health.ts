// GET /healthz says that the process is alive and depends on nothing; GET /readyz says whether it can
// deliver and what is wrong if not. Strangers' calls cannot turn either.

import { type HttpAnswer, json } from './http-answer.ts';

export interface Readiness {
  readonly ready: boolean;
  /** One entry for each thing that can be wrong, by name. */
  readonly checks: Readonly<Record<string, { readonly ready: boolean; readonly detail?: string }>>;
}

export function handleHealth(): HttpAnswer {
  return json({ status: 'alive' });
}

export function handleReadiness(readiness: Readiness): HttpAnswer {
  return { ...json(readiness), status: readiness.ready ? 200 : 503 };
}

// GET /healthz says that the process is alive and depends on nothing; GET /readyz says whether it can
// deliver and what is wrong if not. Strangers' calls cannot turn either.

export interface Readiness {
  readonly ready: boolean;
  /** One entry for each thing that can be wrong, by name. */
  readonly checks: Readonly<Record<string, { readonly ready: boolean; readonly detail?: string }>>;
}

export function handleHealth(): Response {
  return new Response('{"status":"alive"}', {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}

export function handleReadiness(readiness: Readiness): Response {
  return new Response(JSON.stringify(readiness), {
    status: readiness.ready ? 200 : 503,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}

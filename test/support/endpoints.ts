// Endpoints for tests, and their secret.

import type { Endpoint } from '../../src/core/ports/events.ts';

export const ENDPOINT_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

export function sampleEndpoint(changes: Partial<Endpoint> = {}): Endpoint {
  return {
    id: 'ep_a',
    url: 'https://vendor.example/hooks?key=hidden',
    secrets: [{ secret: ENDPOINT_SECRET }],
    enabledEvents: ['*'],
    status: 'enabled',
    isConfigured: false,
    createdAtMs: 1_754_049_600_000,
    ...changes,
  };
}

export function sampleEmailEndpoint(changes: Partial<Endpoint> = {}): Endpoint {
  const address = { url: 'ops@vendor.example', digest: 'daily', secrets: [] } as const;
  return sampleEndpoint({ id: 'ep_mail', ...address, ...changes });
}

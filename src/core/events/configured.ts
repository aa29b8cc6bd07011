// Endpoints that stand in the configuration instead of being registered.

import type { Endpoint } from '../ports/events.ts';
import type { EndpointDetails } from './endpoints.ts';

export interface ConfiguredEndpoint extends EndpointDetails {
  readonly name: string;
  readonly secret: string;
}

export function endpointId(name: string): string {
  return `ep_${name}`;
}

/**
 * Whether it is enabled, and since when it exists, is no matter of the configuration. One that was given up is tried
 * at its new address.
 */
export function configure(
  { name, url, enabledEvents, app, description, secret }: ConfiguredEndpoint,
  { earlier, nowMs }: { readonly earlier: Endpoint | undefined; readonly nowMs: number },
): Endpoint {
  const isGivenUp = earlier?.disabledReason === 'gone' || earlier?.disabledReason === 'failing';
  const isTried = earlier === undefined || (isGivenUp && earlier.url !== url);
  return {
    id: endpointId(name),
    url,
    secrets: [{ secret }],
    app,
    enabledEvents,
    description,
    status: isTried ? 'enabled' : earlier.status,
    disabledReason: isTried ? undefined : earlier.disabledReason,
    isConfigured: true,
    createdAtMs: earlier?.createdAtMs ?? nowMs,
  };
}

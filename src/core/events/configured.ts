// How an endpoint comes to be: registered by an operator, or as it stands in the configuration.

import type { Endpoint } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import { type ConfiguredEndpoint, digestOf, type EndpointDetails } from './details.ts';
import { newSecret } from './signature.ts';

export function endpointId(name: string): string {
  return `ep_${name}`;
}

export function register(
  details: EndpointDetails,
  { ids, nowMs }: { readonly ids: Pick<Ids, 'secret' | 'deliveryId'>; readonly nowMs: number },
): Endpoint {
  const digest = digestOf(details);
  return {
    ...details,
    digest,
    id: endpointId(ids.deliveryId()),
    secrets: digest === undefined ? [{ secret: newSecret(ids) }] : [],
    status: 'enabled',
    isConfigured: false,
    createdAtMs: nowMs,
  };
}

/**
 * Whether it is enabled, and since when it exists, is no matter of the configuration. One that was given up is tried
 * at its new address.
 */
export function configure(
  one: ConfiguredEndpoint,
  { earlier, nowMs }: { readonly earlier: Endpoint | undefined; readonly nowMs: number },
): Endpoint {
  const { name, url, enabledEvents, app, description, secret } = one;
  const isGivenUp = earlier?.disabledReason === 'gone' || earlier?.disabledReason === 'failing';
  const isTried = earlier === undefined || (isGivenUp && earlier.url !== url);
  return {
    id: endpointId(name),
    url,
    digest: digestOf(one),
    secrets: secret === undefined ? [] : [{ secret }],
    app,
    enabledEvents,
    description,
    status: isTried ? 'enabled' : earlier.status,
    disabledReason: isTried ? undefined : earlier.disabledReason,
    isConfigured: true,
    createdAtMs: earlier?.createdAtMs ?? nowMs,
  };
}

// Makes and changes endpoints, for an operator or from the configuration.

import type { Endpoint, EndpointSecret } from '../ports/events.ts';
import type { Ids } from '../ports/ids.ts';
import {
  type ConfiguredEndpoint,
  digestOf,
  type EndpointChanges,
  type EndpointDetails,
} from './details.ts';
import { newSecret } from './signature.ts';

const ROTATION_MS = 24 * 3_600_000;
const MAX_SECRETS = 4;

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
 * The configuration does not change whether an endpoint is enabled, nor when it was created. An endpoint that was
 * disabled after failures is tried again at its new address.
 */
export function configure(
  one: ConfiguredEndpoint,
  { earlier, nowMs }: { readonly earlier: Endpoint | undefined; readonly nowMs: number },
): Endpoint {
  const { name, url, enabledEvents, app, description, secret } = one;
  const isGivenUp = earlier?.disabledReason === 'gone' || earlier?.disabledReason === 'failing';
  const others = earlier?.secrets.filter((known) => known.secret !== secret) ?? [];
  const isTried = earlier === undefined || (isGivenUp && earlier.url !== url);
  return {
    id: endpointId(name),
    url,
    digest: digestOf(one),
    secrets: secret === undefined ? [] : rotated(secret, { before: others, nowMs }),
    app,
    enabledEvents,
    description,
    status: isTried ? 'enabled' : earlier.status,
    disabledReason: isTried ? undefined : earlier.disabledReason,
    isConfigured: true,
    createdAtMs: earlier?.createdAtMs ?? nowMs,
  };
}

export function withChanges(
  endpoint: Endpoint,
  { status = endpoint.status, ...changes }: EndpointChanges,
): Endpoint {
  const byHand = status === 'disabled' ? ('by_operator' as const) : undefined;
  const disabledReason = status === endpoint.status ? endpoint.disabledReason : byHand;
  return { ...endpoint, ...changes, status, disabledReason };
}

/** Calls are signed by a new secret, and beside it by the earlier ones for a day. */
export function withNewSecret(
  endpoint: Endpoint,
  { ids, nowMs }: { readonly ids: Pick<Ids, 'secret'>; readonly nowMs: number },
): Endpoint {
  return { ...endpoint, secrets: rotated(newSecret(ids), { before: endpoint.secrets, nowMs }) };
}

/** The new secret is the first one. */
function rotated(
  secret: string,
  { before, nowMs }: { readonly before: readonly EndpointSecret[]; readonly nowMs: number },
): readonly EndpointSecret[] {
  const earlier = before
    .filter(({ untilMs }) => untilMs === undefined || untilMs > nowMs)
    .map(({ secret, untilMs = nowMs + ROTATION_MS }) => ({ secret, untilMs }));
  return [{ secret }, ...earlier].slice(0, MAX_SECRETS);
}

// POST /api/v1/webhooks/spark_payment_received/:domain, where the Breez LNURL server names users instead of
// devices: one URL and one secret for a whole domain.

import { DOMAIN_SOURCE, type Domain } from '../core/devices/doors.ts';
import type { Registry } from '../core/devices/registry.ts';
import { recipientOf } from '../core/devices/registry.ts';
import { ServiceError } from '../core/errors.ts';
import type { Device } from '../core/ports/devices.ts';
import type { Source } from '../core/ports/source.ts';
import type { HttpContext } from './context.ts';
import { type DeliveryParts, deliverToUser } from './deliver.ts';
import { readingInTime } from './handle.ts';
import {
  authenticate,
  readSignedCall,
  type SignedCallParts,
  withStatusesOf,
} from './signed-call.ts';

export interface DomainParts extends DeliveryParts, SignedCallParts {
  readonly registry: Registry;
  readonly domains: ReadonlyMap<string, Domain>;
}

export async function handleDomainWebhook(parts: DomainParts, c: HttpContext): Promise<Response> {
  const source = parts.sources.get(DOMAIN_SOURCE);
  if (source === undefined) throw new ServiceError('unknown_source');
  return await withStatusesOf(source, () => handleFrom(parts, c, source));
}

async function handleFrom(parts: DomainParts, c: HttpContext, source: Source): Promise<Response> {
  const request = await readSignedCall(parts, c);
  const url = (c.req.param('domain') ?? '').toLowerCase();
  const domain = parts.domains.get(url);
  if (domain === undefined) throw new ServiceError('unknown_source', { detail: UNKNOWN_DOMAIN });
  const { app, secrets } = domain;
  c.set('app', app);
  c.set('hasDomain', true);
  const credentials = { secrets, nodeIds: [] };
  await authenticate(parts, c, { source, request, credentials, app, url });
  const parsed = source.parse(request, credentials);
  const user = parsed.kind === 'notification' ? parsed.user : undefined;
  const devices =
    user === undefined
      ? []
      : await readingInTime(parts.clock, () => parts.registry.findByUser(app, user));
  const recipients = onePerTarget(devices).map((device) => recipientOf(device, source.name));
  return await deliverToUser(parts, c, { parsed, app, recipients });
}

const UNKNOWN_DOMAIN = 'This domain is not configured: add it to `domains` in NDS_SOURCES.';

/**
 * A wallet that registered itself again has a second device with the same token and app_data: its phone is
 * woken once, by the oldest, which a repeat of the call finds again.
 */
function onePerTarget(devices: readonly Device[]): readonly Device[] {
  const byTarget = new Map<string, Device>();
  for (const device of devices) {
    const { app, platform, token, appData } = device.target;
    byTarget.set(JSON.stringify([app, platform, token, appData ?? null]), device);
  }
  return [...byTarget.values()];
}

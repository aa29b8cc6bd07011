// Signed webhooks whose URL stands for a device: POST /api/v1/webhooks/:source/:handle and
// POST /api/v1/lsps5/:handle.

import { DOMAIN_SOURCE, LSPS5_SOURCE } from '../core/devices/doors.ts';
import { recipientOf } from '../core/devices/registry.ts';
import { ServiceError } from '../core/errors.ts';
import type { Device, DeviceStore } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Source, SourceCredentials } from '../core/ports/source.ts';
import type { HttpContext } from './context.ts';
import { type DeliveryParts, deliver } from './deliver.ts';
import { resolveHandle } from './handle.ts';
import {
  authenticate,
  readSignedCall,
  type SignedCallParts,
  withStatusesOf,
} from './signed-call.ts';

export interface WebhookParts extends DeliveryParts, SignedCallParts {
  readonly ids: Ids;
  readonly devices: DeviceStore;
  /** Secrets from the configuration for a source of an app, in addition to those of the device. */
  readonly secretsOf: (app: string, source: string) => readonly string[];
}

/** POST /api/v1/webhooks/:source/:handle */
export async function handleWebhook(parts: WebhookParts, c: HttpContext): Promise<Response> {
  const name = c.req.param('source') ?? '';
  const hasOwnRoute = name === LSPS5_SOURCE || name === DOMAIN_SOURCE;
  const source = hasOwnRoute ? undefined : parts.sources.get(name);
  if (source === undefined) throw new ServiceError('unknown_source');
  c.set('source', source.name);
  return await withStatusesOf(source, () => handleFrom(parts, c, source));
}

/** POST /api/v1/lsps5/:handle */
export async function handleLsps5(parts: WebhookParts, c: HttpContext): Promise<Response> {
  const source = parts.sources.get(LSPS5_SOURCE);
  if (source === undefined) throw new ServiceError('not_found');
  return await withStatusesOf(source, () => handleFrom(parts, c, source));
}

async function handleFrom(parts: WebhookParts, c: HttpContext, source: Source): Promise<Response> {
  const request = await readSignedCall(parts, c);
  const device = await resolveHandle(parts, c, source.name);
  const { app } = device.target;
  const credentials = credentialsOf(parts, device, source);
  // A new handle of a device still means the same device.
  const url = `${source.name}\n${device.id}`;
  await authenticate(parts, c, { source, request, credentials, app, url });
  const parsed = source.parse(request, credentials);
  const recipient = recipientOf(device, source.name);
  return await deliver(parts, c, { parsed, recipient });
}

function credentialsOf(parts: WebhookParts, device: Device, { name }: Source): SourceCredentials {
  const own = Object.hasOwn(device.secrets, name) ? (device.secrets[name] ?? []) : [];
  return {
    secrets: [...own, ...parts.secretsOf(device.target.app, name)],
    nodeIds: device.nodeIds,
  };
}

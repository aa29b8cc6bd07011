// The registry over HTTP: /api/v1/devices. The vendor's backend may do everything; an app's key and a
// wallet's signature may only add.

import { validate } from 'uuid';
import { findLane, type Lanes } from '../../core/answering/dispatcher.ts';
import type { DeviceChanges, Registry } from '../../core/devices/registry.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Device, Door } from '../../core/ports/devices.ts';
import { createTarget, DEFAULT_APP, type Target } from '../../core/target.ts';
import { type Buckets, refuseFor } from '../../core/tokens/limits.ts';
import type { Authenticator } from '../auth.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { json } from '../success.ts';
import { badField, checkToken, type DeviceBodies, parseJsonBody } from './device-body.ts';
import { type SelfRegistration, verifySelfRegistration } from './self-registration.ts';

export interface DevicesParts {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly auth: Authenticator;
  readonly bodies: DeviceBodies;
  readonly lanes: Lanes;
  /** By app; each in buckets of its own, so that neither uses up those of the other. */
  readonly appRegistrations: Buckets;
  readonly selfRegistrations: Buckets;
  readonly externalUrl: string | undefined;
  /** The path of a door, up to its handle. */
  readonly pathOf: (door: Door) => string;
  /** Absent unless wallets may register themselves. */
  readonly self: SelfRegistration | undefined;
}

/** POST /api/v1/devices */
export async function handleRegister(parts: DevicesParts, c: HttpContext): Promise<Response> {
  const { incoming } = c.env;
  const bytes = await readBody(c);
  const caller = parts.auth.identify(incoming);
  if (caller === undefined && parts.self === undefined) throw new ServiceError('unauthorized');
  const details = parts.bodies.parseRegistration(
    parseJsonBody(bytes),
    caller?.kind === 'app' ? caller.app : DEFAULT_APP,
  );
  const { app } = details.target;
  if (caller?.kind === 'app' && caller.app !== app) throw new ServiceError('unauthorized');
  requireProvider(parts, details.target);
  if (caller?.kind === 'backend') {
    const { device } = await reading(() => parts.registry.register(details, 'backend'));
    return json(c, describe(parts, device));
  }
  if (caller?.kind === 'app') {
    if (details.user !== undefined) {
      throw badField('user', 'is accepted only with a backend’s key or a signature');
    }
    takeRegistration(parts.appRegistrations, app);
    const { device } = await reading(() => parts.registry.register(details, 'app'));
    return json(c, describe(parts, device));
  }
  if (parts.self === undefined) throw new ServiceError('unauthorized');
  const user = await verifySelfRegistration(parts.self, incoming, {
    body: bytes,
    user: details.user,
    beforeRecovery: () => takeRegistration(parts.selfRegistrations, app),
  });
  const { device } = await reading(() => parts.registry.register({ ...details, user }, 'self'));
  return json(c, describe(parts, device));
}

/** GET /api/v1/devices?user=…[&app=…] */
export async function handleListDevices(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.requireBackend(c.env.incoming);
  const user = c.req.query('user') ?? '';
  const app = c.req.query('app') || DEFAULT_APP;
  if (user === '') {
    throw new ServiceError('bad_query', { faults: [{ field: 'user', message: 'is required' }] });
  }
  const devices = await reading(() => parts.registry.findByUser(app, user));
  return json(c, { devices: devices.map((device) => describe(parts, device)) });
}

/** GET /api/v1/devices/:id */
export async function handleReadDevice(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.requireBackend(c.env.incoming);
  const device = await reading(() => parts.registry.find(deviceId(c)));
  return json(c, describe(parts, device));
}

/** PATCH /api/v1/devices/:id */
export async function handleChangeDevice(parts: DevicesParts, c: HttpContext): Promise<Response> {
  return await change(parts, c, parts.bodies.parseChanges);
}

/** PUT /api/v1/devices/:id/token takes a new token and nothing else. */
export async function handleRotateToken(parts: DevicesParts, c: HttpContext): Promise<Response> {
  return await change(parts, c, parts.bodies.parseToken);
}

async function change(
  parts: DevicesParts,
  c: HttpContext,
  parse: (body: unknown) => DeviceChanges,
): Promise<Response> {
  const { incoming } = c.env;
  const bytes = await readBody(c);
  parts.auth.requireBackend(incoming);
  const changes = parse(parseJsonBody(bytes));
  const id = deviceId(c);
  const { target } = await reading(() => parts.registry.find(id));
  const { token = target.token, environment = target.environment } = changes;
  if (changes.token !== undefined) checkToken(target.platform, token);
  if (changes.token !== undefined || changes.environment !== undefined) {
    requireProvider(parts, createTarget({ ...target, token, environment }));
  }
  return json(c, describe(parts, await reading(() => parts.registry.change(id, changes))));
}

/** DELETE /api/v1/devices/:id */
export async function handleDeleteDevice(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.requireBackend(c.env.incoming);
  const id = deviceId(c);
  await reading(() => parts.registry.remove(id));
  return json(c, { id, status: 'deleted' });
}

/** POST /api/v1/devices/:id/handles/:door makes a new URL for one door. */
export async function handleRenewHandle(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.requireBackend(c.env.incoming);
  const name = c.req.param('door') ?? '';
  return json(
    c,
    describe(parts, await reading(() => parts.registry.renewHandle(deviceId(c), name))),
  );
}

/** DELETE /api/v1/devices/:id/handles/:door revokes it. */
export async function handleRevokeHandle(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.requireBackend(c.env.incoming);
  const id = deviceId(c);
  await reading(() => parts.registry.revokeHandle(id, c.req.param('door') ?? ''));
  return json(c, { id, status: 'revoked' });
}

function deviceId(c: HttpContext): string {
  const id = c.req.param('id') ?? '';
  if (!validate(id)) throw new ServiceError('unknown_device');
  return id;
}

/** A device that no push could reach is refused now, not at the first payment. */
function requireProvider(parts: DevicesParts, target: Target): void {
  findLane(parts.lanes, target);
}

function takeRegistration(registrations: Buckets, app: string): void {
  const detail = 'Too many registrations for this app (NDS_REGISTRATION_RATE).';
  refuseFor(registrations.take(app), detail, 'registration_rate');
}

/** What callers see of a device: its URLs, but neither its token nor its secrets. */
function describe(parts: DevicesParts, device: Device): object {
  const { target, secrets } = device;
  if (parts.externalUrl === undefined) throw new ServiceError('external_url_missing');
  const urls = Object.entries(device.handles).map(([name, handle]) => {
    return [name, `${parts.externalUrl}${parts.pathOf(name)}${handle}`];
  });
  return {
    id: device.id,
    app: target.app,
    platform: target.platform,
    user: device.user,
    app_data: target.appData,
    environment: target.environment,
    locale: device.locale,
    lsp_node_ids: device.nodeIds,
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, list]) => [name, list.length])),
    urls: Object.fromEntries(urls),
    registered_by: device.registrar,
    created_at: new Date(device.createdAtMs).toISOString(),
    seen_at: new Date(device.seenAtMs).toISOString(),
    dead_since:
      device.deadSinceMs === undefined ? undefined : new Date(device.deadSinceMs).toISOString(),
  };
}

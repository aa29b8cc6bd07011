// The registry over HTTP: /api/v1/devices. The vendor's backend may do everything; an app's key and a
// wallet's signature may only add.

import type { Lanes } from '../core/answering/dispatcher.ts';
import type { DeviceChanges, Registry } from '../core/devices/registry.ts';
import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Device, Door } from '../core/ports/devices.ts';
import { providerFor, type Target } from '../core/target.ts';
import type { Buckets } from '../core/tokens/limits.ts';
import type { Authenticator } from './auth.ts';
import { readBody } from './body.ts';
import { badField, checkToken, type DeviceBodies, parseJsonBody } from './device-body.ts';
import type { Call } from './door.ts';
import { reading } from './handle.ts';
import { type HttpAnswer, json } from './http-answer.ts';
import { type SelfRegistration, verifySelfRegistration } from './self-registration.ts';

const DEFAULT_APP = 'default';

export interface DevicesDoor {
  readonly clock: Clock;
  readonly registry: Registry;
  readonly auth: Authenticator;
  readonly bodies: DeviceBodies;
  readonly lanes: Lanes;
  /** Registrations by app keys and wallets, by app. */
  readonly registrations: Buckets;
  readonly externalUrl: string | undefined;
  /** The path of a door, up to its handle. */
  readonly pathOf: (door: Door) => string;
  /** Absent unless wallets may register themselves. */
  readonly self: SelfRegistration | undefined;
}

/** POST /api/v1/devices */
export async function handleRegister(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  const { incoming } = call;
  const bytes = await readBody(incoming);
  const caller = door.auth.identify(incoming);
  if (caller === undefined && door.self === undefined) throw new ServiceError('unauthorized');
  const details = door.bodies.parseRegistration(
    parseJsonBody(bytes),
    caller?.kind === 'app' ? caller.app : DEFAULT_APP,
  );
  const { app } = details.target;
  if (caller?.kind === 'app' && caller.app !== app) throw new ServiceError('unauthorized');
  requireProvider(door, details.target);
  if (caller?.kind === 'backend') {
    const { device } = await reading(() => door.registry.register(details, 'backend'));
    return json(describe(door, device));
  }
  if (caller?.kind === 'app' && details.user !== undefined) {
    throw badField('user', 'is taken from a backend’s key or a signature only');
  }
  limitRegistrations(door, app);
  if (door.self === undefined || caller !== undefined) {
    const { device } = await reading(() => door.registry.register(details, 'app'));
    return json(describe(door, device));
  }
  const signed = { body: bytes, user: details.user };
  const user = await verifySelfRegistration(door.self, incoming, signed);
  const { device } = await reading(() => door.registry.register({ ...details, user }, 'self'));
  return json(describe(door, device));
}

/** GET /api/v1/devices?user=…[&app=…] */
export async function handleListDevices(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  door.auth.requireBackend(call.incoming);
  const user = call.query('user') ?? '';
  const app = call.query('app') || DEFAULT_APP;
  if (user === '') {
    throw new ServiceError('bad_query', { faults: [{ field: 'user', message: 'is required' }] });
  }
  const devices = await reading(() => door.registry.findByUser(app, user));
  return json({ devices: devices.map((device) => describe(door, device)) });
}

/** GET /api/v1/devices/:id */
export async function handleReadDevice(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  door.auth.requireBackend(call.incoming);
  const device = await reading(() => door.registry.find(deviceId(call)));
  return json(describe(door, device));
}

/** PATCH /api/v1/devices/:id */
export async function handleChangeDevice(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  return await change(door, call, door.bodies.parseChanges);
}

/** PUT /api/v1/devices/:id/token takes a new token and nothing else. */
export async function handleRotateToken(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  return await change(door, call, door.bodies.parseToken);
}

async function change(
  door: DevicesDoor,
  call: Call,
  parse: (body: unknown) => DeviceChanges,
): Promise<HttpAnswer> {
  const { incoming } = call;
  const bytes = await readBody(incoming);
  door.auth.requireBackend(incoming);
  const changes = parse(parseJsonBody(bytes));
  const id = deviceId(call);
  const { target } = await reading(() => door.registry.find(id));
  if (changes.token !== undefined) {
    checkToken(target.platform, changes.token);
    requireProvider(door, { ...target, token: changes.token });
  }
  return json(describe(door, await reading(() => door.registry.change(id, changes))));
}

/** DELETE /api/v1/devices/:id */
export async function handleDeleteDevice(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  door.auth.requireBackend(call.incoming);
  const id = deviceId(call);
  await reading(() => door.registry.remove(id));
  return json({ id, status: 'deleted' });
}

/** POST /api/v1/devices/:id/handles/:door makes a new URL for one door. */
export async function handleRenewHandle(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  door.auth.requireBackend(call.incoming);
  const name = call.param('door');
  return json(describe(door, await reading(() => door.registry.renewHandle(deviceId(call), name))));
}

/** DELETE /api/v1/devices/:id/handles/:door revokes it. */
export async function handleRevokeHandle(door: DevicesDoor, call: Call): Promise<HttpAnswer> {
  door.auth.requireBackend(call.incoming);
  const id = deviceId(call);
  await reading(() => door.registry.revokeHandle(id, call.param('door')));
  return json({ id, status: 'revoked' });
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function deviceId(call: Call): string {
  const id = call.param('id');
  if (!UUID.test(id)) throw new ServiceError('unknown_device');
  return id;
}

/** A device that no push could reach is refused now, not at the first payment. */
function requireProvider(door: DevicesDoor, { app, platform, token }: Target): void {
  door.lanes.find(app, providerFor(platform, token));
}

function limitRegistrations(door: DevicesDoor, app: string): void {
  const waitMs = door.registrations.take(app);
  if (waitMs > 0) {
    throw new ServiceError('rate_limited', { retryAfterSeconds: Math.ceil(waitMs / 1_000) });
  }
}

/** What is told of a device: its URLs, but neither its token nor its secrets. */
function describe(door: DevicesDoor, device: Device): object {
  const { target, secrets } = device;
  if (door.externalUrl === undefined) throw new ServiceError('external_url_missing');
  const urls = Object.entries(device.handles).map(([name, handle]) => {
    return [name, `${door.externalUrl}${door.pathOf(name)}${handle}`];
  });
  return {
    id: device.id,
    app: target.app,
    platform: target.platform,
    user: device.user,
    app_data: target.appData,
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

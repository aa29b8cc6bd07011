// The registry over HTTP: /api/v1/devices. The vendor's backend may do everything; an app's key and a
// wallet's signature may only add.

import { validate } from 'uuid';
import { findLane, type Lanes } from '../../core/answering/find-lane.ts';
import type { DeviceChanges, Registry } from '../../core/devices/registry.ts';
import { ServiceError } from '../../core/errors.ts';
import type { Principal } from '../../core/operating/scopes.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Device } from '../../core/ports/devices.ts';
import type { OperatingStore } from '../../core/ports/operating.ts';
import type { Receipts } from '../../core/receipts/receipts.ts';
import { createTarget, DEFAULT_APP, type Target } from '../../core/target.ts';
import { type Buckets, refuseFor } from '../../core/tokens/limits.ts';
import { type Authenticator, requireScope } from '../auth.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { reading } from '../handle.ts';
import { checkQuery, listDevicesQuery } from '../operator/query.ts';
import { json } from '../success.ts';
import {
  type DeviceAnswerParts,
  describeDevice,
  describeWakes,
  deviceUrls,
} from './device-answer.ts';
import { badField, checkToken, type DeviceBodies, parseJsonBody } from './device-body.ts';
import { type SelfRegistration, verifySelfRegistration } from './self-registration.ts';

export interface DevicesParts extends DeviceAnswerParts {
  readonly clock: Clock;
  readonly registry: Registry;
  /** Absent in a service without a store for them. */
  readonly receipts: Pick<Receipts, 'historyOf'> | undefined;
  readonly auth: Authenticator;
  readonly bodies: DeviceBodies;
  readonly lanes: Lanes;
  /** By app; each in buckets of its own, so that neither uses up those of the other. */
  readonly appRegistrations: Buckets;
  readonly selfRegistrations: Buckets;
  readonly listDevices: OperatingStore['listDevices'];
  /** Absent unless wallets may register themselves. */
  readonly self: SelfRegistration | undefined;
}

/** POST /api/v1/devices */
export async function handleRegister(parts: DevicesParts, c: HttpContext): Promise<Response> {
  const { incoming } = c.env;
  const bytes = await readBody(c);
  const caller = parts.auth.identify(c.env);
  if (caller === undefined && parts.self === undefined) throw new ServiceError('unauthorized');
  if (caller?.kind === 'principal') requireScope(caller.principal, 'register');
  const details = parts.bodies.parseRegistration(
    parseJsonBody(bytes),
    caller?.kind === 'app' ? caller.app : DEFAULT_APP,
  );
  const { app } = details.target;
  if (caller?.kind === 'app' && caller.app !== app) throw new ServiceError('unauthorized');
  requireProvider(parts, details.target);
  if (caller?.kind === 'principal') {
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

/** GET /api/v1/devices?user=…[&app=…]; without `user` all devices, page by page */
export async function handleListDevices(parts: DevicesParts, c: HttpContext): Promise<Response> {
  const caller = parts.auth.require(c.env, 'read', 'register');
  const { user, ...query } = checkQuery(listDevicesQuery, c);
  if (user !== undefined) {
    const found = await reading(() => parts.registry.findByUser(query.app ?? DEFAULT_APP, user));
    return json(c, { devices: found.map((device) => describeTo(caller, parts, device)) });
  }
  const { entries, next } = await reading(() => parts.listDevices(query));
  const devices = entries.map((device) => describeTo(caller, parts, device));
  return json(c, { devices, next: next?.toString() });
}

/** GET /api/v1/devices/:id */
export async function handleReadDevice(parts: DevicesParts, c: HttpContext): Promise<Response> {
  const caller = parts.auth.require(c.env, 'read', 'register');
  const device = await reading(() => parts.registry.find(deviceId(c)));
  const history = await reading(async () => await parts.receipts?.historyOf(device.target));
  return json(c, { ...describeTo(caller, parts, device), wakes: describeWakes(history) });
}

function describeTo({ scopes }: Principal, parts: DevicesParts, device: Device): object {
  return scopes.has('register') ? describe(parts, device) : describeDevice(device, undefined);
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
  const bytes = await readBody(c);
  parts.auth.require(c.env, 'register');
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
  parts.auth.require(c.env, 'register');
  const id = deviceId(c);
  await reading(() => parts.registry.remove(id));
  return json(c, { id, status: 'deleted' });
}

/** POST /api/v1/devices/:id/handles/:door makes a new URL for one door. */
export async function handleRenewHandle(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.require(c.env, 'register');
  const name = c.req.param('door') ?? '';
  return json(
    c,
    describe(parts, await reading(() => parts.registry.renewHandle(deviceId(c), name))),
  );
}

/** DELETE /api/v1/devices/:id/handles/:door revokes it. */
export async function handleRevokeHandle(parts: DevicesParts, c: HttpContext): Promise<Response> {
  parts.auth.require(c.env, 'register');
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

/** With its URLs, for a caller who may register. */
function describe(parts: DevicesParts, device: Device): object {
  return describeDevice(device, deviceUrls(parts, device));
}

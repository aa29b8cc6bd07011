// The doors of callers that sign: POST /api/v1/lsps5/:handle, /api/v1/webhooks/:source/:handle, and the
// Breez LNURL server's /api/v1/webhooks/spark_payment_received/:domain, which names users instead of devices.

import type { IncomingMessage } from 'node:http';
import { DOMAIN_SOURCE, type Domain, LSPS5_SOURCE } from '../core/devices/doors.ts';
import type { Registry } from '../core/devices/registry.ts';
import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Device, DeviceStore } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { Source, SourceCredentials, SourceRequest } from '../core/ports/source.ts';
import type { AddressLimit } from './address-limit.ts';
import { type Answering, answerForUser, answerParsed } from './answer.ts';
import { readBody } from './body.ts';
import type { Call } from './door.ts';
import type { ForgeryLimit, Origin } from './forgery-limit.ts';
import { reading, resolveHandle } from './handle.ts';
import type { HttpAnswer } from './http-answer.ts';

export interface WebhookDoor extends Answering {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  readonly registry: Registry;
  readonly observer: Observer;
  readonly sources: ReadonlyMap<string, Source>;
  /** Secrets that the configuration has for a source of an app, beside those of the device. */
  readonly secretsOf: (app: string, source: string) => readonly string[];
  readonly domains: ReadonlyMap<string, Domain>;
  readonly forgeries: ForgeryLimit;
  readonly addressLimit: AddressLimit | undefined;
}

/** POST /api/v1/webhooks/:source/:handle */
export async function handleWebhook(door: WebhookDoor, call: Call): Promise<HttpAnswer> {
  const name = call.param('source');
  const source = name === LSPS5_SOURCE ? undefined : door.sources.get(name);
  if (source === undefined) throw new ServiceError('unknown_source');
  const handle = call.param('handle');
  return await withStatuses(source, () =>
    name === DOMAIN_SOURCE
      ? handleDomain(door, call, { source, domain: handle })
      : handleDevice(door, call, { source, handle }),
  );
}

/** POST /api/v1/lsps5/:handle */
export async function handleLsps5(door: WebhookDoor, call: Call): Promise<HttpAnswer> {
  const source = door.sources.get(LSPS5_SOURCE);
  if (source === undefined) throw new ServiceError('not_found');
  const handle = call.param('handle');
  return await withStatuses(source, () => handleDevice(door, call, { source, handle }));
}

async function handleDevice(
  door: WebhookDoor,
  call: Call,
  { source, handle }: { readonly source: Source; readonly handle: string },
): Promise<HttpAnswer> {
  const request = await readRequest(door, call);
  const device = await resolveHandle(door, source.name, handle);
  const { app } = device.target;
  const credentials = credentialsOf(door, device, source);
  // By door and device, which is what a handle stands for, also when it is renewed.
  const key = `${source.name}\n${device.id}`;
  authenticate(door, call, { source, request, credentials, key, app });
  const parsed = source.parse(request, credentials);
  const recipient = { target: device.target, deviceId: device.id, source: source.name };
  return await answerParsed(door, call, { parsed, recipient });
}

async function handleDomain(
  door: WebhookDoor,
  call: Call,
  { source, domain: name }: { readonly source: Source; readonly domain: string },
): Promise<HttpAnswer> {
  const request = await readRequest(door, call);
  const key = name.toLowerCase();
  const domain = door.domains.get(key);
  if (domain === undefined) throw new ServiceError('unknown_source', { detail: UNKNOWN_DOMAIN });
  const { app, secrets } = domain;
  const credentials = { secrets, nodeIds: [] };
  authenticate(door, call, { source, request, credentials, key, app });
  const parsed = source.parse(request, credentials);
  const user = parsed.kind === 'notification' ? parsed.user : undefined;
  const devices =
    user === undefined ? [] : await reading(() => door.registry.findByUser(app, user));
  const recipients = onePerTarget(devices).map(({ target, id }) => {
    return { target, deviceId: id, source: source.name };
  });
  return await answerForUser(door, call, { parsed, recipients });
}

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

const UNKNOWN_DOMAIN = 'This domain is not configured: add it to `domains` in NDS_SOURCES.';

async function readRequest(door: WebhookDoor, call: Call): Promise<SourceRequest> {
  const { incoming } = call;
  const body = await readBody(incoming);
  return { headers: headersOf(incoming), body, receivedAtMs: door.clock.wallMs() };
}

/** Node joins repeated headers by `, ` but for a few that it keeps apart; no source uses one of those. */
function headersOf({ headers }: IncomingMessage): Record<string, string | undefined> {
  const single: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    single[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return single;
}

function credentialsOf(door: WebhookDoor, device: Device, { name }: Source): SourceCredentials {
  const own = Object.hasOwn(device.secrets, name) ? (device.secrets[name] ?? []) : [];
  return {
    secrets: [...own, ...door.secretsOf(device.target.app, name)],
    nodeIds: device.nodeIds,
  };
}

/** Whoever forged too often is refused before any curve or hash is computed. */
function authenticate(
  door: WebhookDoor,
  call: Call,
  checked: {
    readonly source: Source;
    readonly request: SourceRequest;
    readonly credentials: SourceCredentials;
    readonly key: string;
    readonly app: string;
  },
): void {
  const { source, request, credentials, key, app } = checked;
  const { incoming } = call;
  const from = originOf(door, incoming);
  door.forgeries.check(key, from);
  try {
    source.authenticate(request, credentials);
  } catch (error) {
    if (error instanceof ServiceError && error.status === 401) {
      const repeated = door.forgeries.count(key, from);
      const { code } = error;
      door.observer.observe({
        name: 'signature_refused',
        source: source.name,
        app,
        code,
        repeated,
      });
    }
    throw error;
  }
}

function originOf({ addressLimit }: WebhookDoor, { headers, socket }: IncomingMessage): Origin {
  const address = addressLimit?.addressOf({ headers });
  if (address !== undefined) return { address, isClient: true };
  return { address: socket.remoteAddress ?? '', isClient: false };
}

/** Some callers need another status for the same truth; the source says so in one table. */
async function withStatuses(source: Source, work: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const status = source.statuses[error.code];
    if (status === undefined) throw error;
    throw new ServiceError(error.code, { ...error.details, status }, { cause: error.cause });
  }
}

// The HTTP side of the service, put together from the core and the configuration.

import type { Config } from '../config/config.ts';
import { namesWithSecrets, type SignedSources, secretFaults } from '../config/sources.ts';
import { DOMAIN_SOURCE, LSPS5_SOURCE, NOTIFY_DOOR } from '../core/devices/doors.ts';
import { Registry } from '../core/devices/registry.ts';
import { CATALOGUE, DEFAULT_LIFETIME_MS, type Kind } from '../core/notification.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { DeviceStore, Door } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { Observer } from '../core/ports/observer.ts';
import { tokenKey } from '../core/target.ts';
import { Buckets } from '../core/tokens/limits.ts';
import { type App, createApp, type RefusedRequest } from '../http/app.ts';
import { Authenticator } from '../http/auth.ts';
import type { DeliveryParts } from '../http/deliver.ts';
import { createDeviceBodies } from '../http/device-body.ts';
import type { DevicesParts } from '../http/devices.ts';
import type { Readiness } from '../http/health.ts';
import { AddressLimit } from '../http/limits/address-limit.ts';
import { createClientAddressOf } from '../http/limits/client-address.ts';
import { reportCounts } from '../http/limits/counted-reports.ts';
import { Forgeries } from '../http/limits/forgeries.ts';
import { SignatureGate } from '../http/limits/signature-gate.ts';
import type { NotifyParts } from '../http/notify.ts';
import type { SelfRegistration } from '../http/self-registration.ts';
import type { Log } from '../observe/log.ts';
import { parseBreezBody } from '../sources/breez.ts';
import { isSignature, recoverSigner } from '../sources/signatures/lightning-message.ts';
import type { Core } from './core.ts';

const MAX_APPS = 1_000;
const REPORT_EVERY_MS = 60_000;

export interface HttpAppParts {
  readonly config: Config;
  readonly core: Core;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  readonly signed: SignedSources;
  readonly log: Log;
  readonly observer: Observer;
  readonly readiness: () => Readiness;
}

export function createHttpApp(parts: HttpAppParts): App {
  const { config, core, clock, ids, devices, signed, log, observer, readiness } = parts;
  const delivery: DeliveryParts = {
    dispatcher: core.dispatcher,
    asker: core.asker,
    ids,
    catalogue: catalogueOf(config),
    externalUrl: config.externalUrl,
    replyDeadlineMs: config.replyDeadlineMs,
  };
  const clientAddressOf = createClientAddressOf(config.trustedAddressHeader);
  const registry = createRegistry(parts);
  const forgeries = new Forgeries(clock);
  return createApp({
    clock,
    ids,
    observer,
    notify: { ...delivery, ...notifyParts(parts), clientAddressOf },
    devices: devicesParts(parts, registry),
    webhooks: {
      ...delivery,
      ...signed,
      clock,
      devices,
      registry,
      observer,
      clientAddressOf,
      forgeries,
      signatureGate: new SignatureGate(clock, forgeries),
    },
    exchange: core.exchange,
    readiness,
    onRefused: (request) => logRefusal(log, request),
  });
}

function notifyParts({
  config,
  core,
  clock,
  ids,
  devices,
  log,
}: HttpAppParts): Omit<NotifyParts, keyof DeliveryParts | 'clientAddressOf'> {
  return {
    devices,
    parse: parseBreezBody,
    takesTokens: config.tokenForm,
    addressLimit: new AddressLimit({
      clock,
      rate: config.addressRate,
      onLimited: reportCounts(clock, REPORT_EVERY_MS, (count) =>
        log.say('warn', 'address_limited', { count, limit: 'NDS_ADDRESS_RATE' }),
      ),
    }),
    isUnknownToken: (target) => {
      const tokenHash = ids.fingerprint(tokenKey(target));
      const { quarantine } = core;
      return (
        quarantine.trustOf(tokenHash) === 'unproven' && quarantine.find(tokenHash) === undefined
      );
    },
  };
}

/** One line without query, address or body; a fault of our own keeps its cause. */
function logRefusal(log: Log, { requestId, method, route, error }: RefusedRequest): void {
  const isOurs = error.status === 500;
  log.say(isOurs ? 'error' : 'info', 'request_refused', {
    requestId,
    method,
    route,
    code: error.code,
    status: error.status,
    ...(isOurs ? { cause: String(error.cause) } : {}),
  });
}

/** Every door that takes handles: the Breez family's, and one for each signed source but the domains'. */
function doorsOf({ sources }: SignedSources): readonly Door[] {
  return [NOTIFY_DOOR, ...[...sources.keys()].filter((name) => name !== DOMAIN_SOURCE)];
}

/** The short path keeps a URL below Boltz's 250 characters. */
function pathOf(door: Door): string {
  if (door === NOTIFY_DOOR) return '/n/';
  return door === LSPS5_SOURCE ? '/api/v1/lsps5/' : `/api/v1/webhooks/${door}/`;
}

function createRegistry({ config, core, clock, ids, devices, signed }: HttpAppParts): Registry {
  return new Registry({
    clock,
    ids,
    devices,
    quarantine: core.quarantine,
    ledger: core.ledger,
    doors: doorsOf(signed),
    maxPerUser: config.maxDevicesPerUser,
    maxDevices: config.maxDevices,
  });
}

function devicesParts(parts: HttpAppParts, registry: Registry): DevicesParts {
  const { config, core, clock, signed } = parts;
  return {
    clock,
    registry,
    auth: new Authenticator({ backend: config.backendKeys, apps: config.appKeys }),
    bodies: createDeviceBodies(namesWithSecrets(signed.sources), secretFaults(signed.sources)),
    lanes: core.lanes,
    appRegistrations: new Buckets(clock, config.registrationRate, MAX_APPS),
    selfRegistrations: new Buckets(clock, config.registrationRate, MAX_APPS),
    externalUrl: config.externalUrl,
    pathOf,
    self: selfRegistration(parts),
  };
}

function selfRegistration(parts: HttpAppParts): SelfRegistration | undefined {
  const { config, clock, ids, devices } = parts;
  if (!config.selfRegistration || config.externalUrl === undefined) return undefined;
  return {
    clock,
    ids,
    devices,
    origin: new URL(config.externalUrl).origin,
    isSignature,
    recoverSigner,
  };
}

/** The types that have a title or lifetime of their own. */
export function catalogueOf(
  config: Pick<Config, 'titles' | 'lifetimesMs'>,
): Readonly<Record<string, Kind>> {
  const catalogue: Record<string, Kind> = { ...CATALOGUE };
  for (const type of new Set([...Object.keys(config.titles), ...Object.keys(config.lifetimesMs)])) {
    const known = catalogue[type] ?? { title: 'Notification', lifetimeMs: DEFAULT_LIFETIME_MS };
    catalogue[type] = {
      title: config.titles[type] ?? known.title,
      lifetimeMs: config.lifetimesMs[type] ?? known.lifetimeMs,
    };
  }
  return catalogue;
}

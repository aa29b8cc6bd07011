// Assembles the HTTP side of the service from the core and the configuration.

import type { Config } from '../config/config.ts';
import { namesWithSecrets, type SignedSources, secretFaults } from '../config/sources.ts';
import { doorsOf, LSPS5_SOURCE, NOTIFY_DOOR } from '../core/devices/doors.ts';
import { Registry } from '../core/devices/registry.ts';
import type { Endpoints } from '../core/events/endpoints.ts';
import type { LiveEvents } from '../core/operating/live-events.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { DeviceStore, Door } from '../core/ports/devices.ts';
import type { Ids } from '../core/ports/ids.ts';
import type { LogReader } from '../core/ports/log.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { OperatingStore } from '../core/ports/operating.ts';
import type { MachineList } from '../core/ports/peers.ts';
import type { ReceiptStore } from '../core/ports/receipts.ts';
import type { ReplyExchange } from '../core/ports/replies.ts';
import type { Store } from '../core/ports/store.ts';
import type { Recorder } from '../core/records/recorder.ts';
import { tokenKey } from '../core/target.ts';
import { Buckets } from '../core/tokens/limits.ts';
import { type App, createApp, type RefusedRequest } from '../http/app.ts';
import { Authenticator } from '../http/auth.ts';
import type { DeliveryParts } from '../http/deliver.ts';
import { createDeviceBodies, type DeviceBodies } from '../http/devices/device-body.ts';
import type { DevicesParts } from '../http/devices/routes.ts';
import type { SelfRegistration } from '../http/devices/self-registration.ts';
import type { Readiness } from '../http/health.ts';
import { AddressLimit } from '../http/limits/address-limit.ts';
import { createClientAddressOf } from '../http/limits/client-address.ts';
import { reportCounts } from '../http/limits/counted-reports.ts';
import { Forgeries } from '../http/limits/forgeries.ts';
import { SignatureGate } from '../http/limits/signature-gate.ts';
import type { NotifyParts } from '../http/notify.ts';
import { createDescription } from '../http/openapi/routes.ts';
import type { Log } from '../observe/log.ts';
import { parseBreezBody } from '../sources/breez.ts';
import { describeCalls } from '../sources/descriptions.ts';
import { isSignature, recoverSigner } from '../sources/signatures/lightning-message.ts';
import { adminParts } from './admin-parts.ts';
import type { Core } from './core.ts';
import type { LiveApps } from './live-apps.ts';
import { readVersion } from './observing/version.ts';
import { operatorParts } from './operator-parts.ts';
import type { KnownProofs } from './start-proofs.ts';

const MAX_APPS = 1_000;
const MAX_ADDRESSES = 50_000;
/** Limit for one address: it may be a carrier's, with many phones that were off for an hour. */
const INVALID_RECEIPTS = { burst: 20, perSecond: 1 };
const REPORT_EVERY_MS = 60_000;
/** Recovering the signer of a refused signature costs time, so only a few are recovered. */
const RECOVERED_SIGNERS = { burst: 5, perSecond: 1 };

export interface HttpAppParts {
  readonly config: Config;
  readonly live: LiveApps;
  readonly core: Core;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly devices: DeviceStore;
  readonly operating: OperatingStore;
  readonly logReader: LogReader;
  readonly recorder: Pick<Recorder, 'written' | 'openGap'>;
  readonly events: LiveEvents;
  readonly endpoints: Endpoints;
  /** The variables that have changed since the start. */
  readonly changedNames: () => readonly string[];
  readonly log: Log;
  readonly observer: Observer;
  readonly readiness: () => Readiness;
  /** Takes replies that another machine may wait for; the core's own if absent. */
  readonly exchange?: ReplyExchange | undefined;
  /** The machines that share the store; absent if none do. */
  readonly machineList?: MachineList | undefined;
  /** How phones woke; absent if that is not kept. */
  readonly wakes?: Pick<ReceiptStore, 'findHistory'> | undefined;
  /** Absent if no key is checked. */
  readonly proofs?: KnownProofs | undefined;
}

export function createHttpApp(parts: HttpAppParts): App {
  const { config, live, core, clock, ids, devices, log, observer, readiness } = parts;
  const delivery: DeliveryParts = {
    dispatcher: core.dispatcher,
    asker: core.asker,
    rules: live.rules,
    observer,
    externalUrl: config.externalUrl,
    replyDeadlineMs: config.replyDeadlineMs,
  };
  const clientAddressOf = createClientAddressOf(config.trustedAddressHeader);
  const registry = createRegistry(parts);
  const registryParts = devicesParts(parts, registry);
  const operator = operatorParts(parts, { devices: registryParts });
  const forgeries = new Forgeries(clock);
  const signers = new Buckets(clock, RECOVERED_SIGNERS, 1);
  return createApp({
    clock,
    ids,
    observer,
    clientAddressOf,
    notify: { ...delivery, ...notifyParts(parts), clientAddressOf },
    devices: registryParts,
    operator,
    admin: adminParts(parts, operator),
    webhooks: {
      ...delivery,
      ids,
      // Read at each call, because a reload may change them.
      get sources() {
        return live.sources.sources;
      },
      get domains() {
        return live.sources.domains;
      },
      secretsOf: (app, source) => live.sources.secretsOf(app, source),
      clock,
      devices,
      registry,
      observer,
      clientAddressOf,
      forgeries,
      signerOf: (source, request) =>
        signers.take('all') === 0 ? source.signerOf?.(request) : undefined,
      signatureGate: new SignatureGate(clock),
    },
    exchange: parts.exchange ?? core.exchange,
    receipts: {
      receipts: core.receipts,
      clientAddressOf,
      invalid: new Buckets(clock, INVALID_RECEIPTS, MAX_ADDRESSES),
      onInvalid: reportInvalidReceipts(parts),
      observer: parts.observer,
    },
    readiness,
    description: createDescription({ readVersion, describeCalls }),
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
    clock,
    ids,
    devices,
    parse: parseBreezBody,
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

/** A few come from phones that were off for an hour; an address that sends many is guessing. */
function reportInvalidReceipts({ clock, log }: HttpAppParts) {
  const countInvalid = reportCounts(clock, REPORT_EVERY_MS, (count) =>
    log.say('info', 'invalid_receipts', { count }),
  );
  const countLimited = reportCounts(clock, REPORT_EVERY_MS, (count) =>
    log.say('warn', 'address_limited', { count, limit: 'invalid receipts' }),
  );
  return ({ isLimited }: { readonly isLimited: boolean }) =>
    isLimited ? countLimited() : countInvalid();
}

/** One line without query, address or body; for an internal error with its cause. */
function logRefusal(log: Log, { requestId, method, route, error }: RefusedRequest): void {
  const isOurs = error.status === 500;
  log.say(isOurs ? 'error' : 'info', 'request_refused', {
    request_id: requestId,
    method,
    route,
    code: error.code,
    status: error.status,
    ...(isOurs ? { cause: String(error.cause) } : {}),
  });
}

/** The short path keeps a URL below Boltz's 250 characters. */
function pathOf(door: Door): string {
  if (door === NOTIFY_DOOR) return '/n/';
  return door === LSPS5_SOURCE ? '/api/v1/lsps5/' : `/api/v1/webhooks/${door}/`;
}

function createRegistry({ config, core, clock, ids, devices, live }: HttpAppParts): Registry {
  return new Registry({
    clock,
    ids,
    devices,
    quarantine: core.quarantine,
    ledger: core.ledger,
    get doors() {
      return doorsOf(live.sources.sources.keys());
    },
    maxPerUser: config.maxDevicesPerUser,
    maxDevices: config.maxDevices,
  });
}

function devicesParts(parts: HttpAppParts, registry: Registry): DevicesParts {
  const { config, core, clock, live, operating } = parts;
  const bodies = createBodies(live);
  return {
    clock,
    registry,
    receipts: core.receipts,
    auth: new Authenticator({
      keys: { backend: config.backendKeys, apps: config.appKeys, api: config.apiKeys },
      clock,
      clientAddressOf: createClientAddressOf(config.trustedAddressHeader),
    }),
    listDevices: (query) => operating.listDevices(query),
    get bodies() {
      return bodies();
    },
    lanes: core.lanes,
    appRegistrations: new Buckets(clock, config.registrationRate, MAX_APPS),
    selfRegistrations: new Buckets(clock, config.registrationRate, MAX_APPS),
    externalUrl: config.externalUrl,
    pathOf,
    self: selfRegistration(parts),
  };
}

/** Made only when the sources change, since a schema takes a while. */
function createBodies(live: HttpAppParts['live']): () => DeviceBodies {
  let madeFor: SignedSources['sources'] | undefined;
  let bodies: DeviceBodies | undefined;
  return () => {
    const { sources } = live.sources;
    if (bodies === undefined || madeFor !== sources) {
      bodies = createDeviceBodies(namesWithSecrets(sources), secretFaults(sources));
      madeFor = sources;
    }
    return bodies;
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

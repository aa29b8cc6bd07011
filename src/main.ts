// The only place that wires things together: configuration in, a running service out.

import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from './config.ts';
import { Asker } from './core/asker.ts';
import type { Clock } from './core/clock.ts';
import { Dispatcher } from './core/dispatcher.ts';
import { Duplicates } from './core/duplicates.ts';
import type { Ids } from './core/ids.ts';
import { Ledger } from './core/ledger.ts';
import { Limits } from './core/limits.ts';
import { CATALOGUE, DEFAULT_LIFETIME_MS, type Kind } from './core/notification.ts';
import type { Observer } from './core/observer.ts';
import { DEFAULT_POLICY, type Policy } from './core/policy.ts';
import type { ProviderHealth } from './core/provider.ts';
import { Quarantine } from './core/quarantine.ts';
import { LocalReplyExchange } from './core/replies.ts';
import { Retrier } from './core/retrier.ts';
import { Sender } from './core/sender.ts';
import type { Store } from './core/store.ts';
import { startHousekeeping } from './housekeeping.ts';
import { AddressLimit } from './http/address-limit.ts';
import { createApp } from './http/app.ts';
import { RequestIds } from './http/door.ts';
import type { Readiness } from './http/health.ts';
import { type RunningServer, startServer } from './http/server.ts';
import { type AllLanes, createLanes } from './lanes.ts';
import { stopService } from './lifecycle.ts';
import type { Log } from './observe/log.ts';
import type { Prepared } from './preparation.ts';
import type { AppProvider } from './providers.ts';
import { readReadiness } from './readiness.ts';
import { loadSecrets } from './secret.ts';
import { parseBreezBody } from './sources/breez.ts';
import { openSqliteStore } from './stores/sqlite/store.ts';
import { createSystemClock, createSystemIds } from './system.ts';

const MAX_TOKENS = 200_000;
const MAX_QUARANTINED = 200_000;
const MAX_DUPLICATE_KEYS = 200_000;
const BAD_TOKEN_MS = 10 * 60_000;
const MAX_WAITS_PER_TARGET = 8;
const MAX_QUEUE_MS = 4_000;

export interface Reach {
  readonly app: string;
  readonly provider: string;
  readonly address: string;
  readonly health: ProviderHealth;
}

export interface Service {
  /** Where it listens, as a URL. */
  readonly url: string;
  /** The log, for whoever wants to read it in this process. */
  readonly store: Store;
  readonly ids: Ids;
  /** Which app can reach which provider; resolves when every connection was tried. */
  readonly reach: Promise<readonly Reach[]>;
  readonly readiness: () => Readiness;
  /** Ends cleanly within the grace period and a second. */
  stop(): Promise<void>;
}

/** What tests and the demo set and `npm start` never does. */
export interface Overrides {
  readonly clock?: Clock;
}

/** Starts what was prepared. If it throws, nothing of it is left running. */
export async function startService(
  { config, providers }: Prepared,
  log: Log,
  overrides: Overrides = {},
): Promise<Service> {
  const clock = overrides.clock ?? createSystemClock();
  await using opened = new AsyncDisposableStack();
  opened.defer(() => closeAll(providers));
  const { store, lookupKey } = await openStore(config, log);
  opened.defer(() => store.close());
  const ids = createSystemIds(clock, lookupKey);
  const core = wireCore({ config, clock, ids, store, providers, observer: log.observer });
  await recover(core, store, clock);
  const readiness = () =>
    readReadiness({ ...core, lanes: core.lanes.all, isDraining: () => core.draining });
  const server = await listen(core, config, { clock, ids, log, readiness });
  // From here on only `stop` ends what was opened.
  opened.move();

  core.retrier.start();
  const { duplicates } = core;
  const { graceMs, retentionMs } = config;
  const housekeeping = startHousekeeping({ clock, store, duplicates, retentionMs });
  return {
    url: urlOf(server),
    store,
    ids,
    reach: warmAll(providers),
    readiness,
    stop: () => {
      core.draining = true;
      housekeeping.stop();
      return stopService({ ...core, store, clock, server, providers, log, graceMs });
    },
  };
}

function urlOf({ host, port }: RunningServer): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function closeAll(providers: readonly AppProvider[]): Promise<void> {
  await Promise.all(providers.map(({ provider }) => provider.close()));
}

async function openStore(
  config: Config,
  log: Log,
): Promise<{ readonly store: Store; readonly lookupKey: Uint8Array }> {
  mkdirSync(dirname(config.database), { recursive: true });
  const secrets = loadSecrets({
    configured: config.secret,
    previous: config.previousSecrets,
    databaseFile: config.database,
  });
  if (secrets.madeFile !== undefined) {
    log.say('warn', 'NDS_SECRET is not set: the secret lies beside the database', {
      file: secrets.madeFile,
      protects: 'a copy of the database file alone',
      protects_not: 'a copy of its folder or volume',
    });
  }
  return await openSqliteStore({ file: config.database, keys: secrets });
}

interface Core {
  readonly owner: string;
  readonly lanes: AllLanes;
  readonly ledger: Ledger;
  readonly quarantine: Quarantine;
  readonly duplicates: Duplicates;
  readonly sender: Sender;
  readonly retrier: Retrier;
  readonly dispatcher: Dispatcher;
  readonly exchange: LocalReplyExchange;
  readonly asker: Asker;
  draining: boolean;
}

function wireCore(given: {
  readonly config: Config;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly providers: readonly AppProvider[];
  readonly observer: Observer;
}): Core {
  const { config, clock, ids, store, observer } = given;
  const policy: Policy = {
    ...DEFAULT_POLICY,
    attemptTimeoutMs: config.attemptTimeoutMs,
    probeTimeoutMs: Math.min(DEFAULT_POLICY.probeTimeoutMs, config.attemptTimeoutMs),
    answerDeadlineMs: config.answerDeadlineMs,
  };
  const lanes = createLanes(given.providers, clock, laneOptions(config));
  const owner = ids.secret();
  const ledger = new Ledger(store, clock, observer);
  const quarantine = new Quarantine(clock, {
    unregisteredMs: config.quarantineMs,
    badTokenMs: BAD_TOKEN_MS,
    maxEntries: MAX_QUARANTINED,
    maxProvenTokens: MAX_TOKENS,
  });
  const duplicates = new Duplicates(clock, { maxKeys: MAX_DUPLICATE_KEYS });
  const limits = new Limits(clock, {
    perToken: config.tokenRate,
    global: config.globalRate,
    maxTokens: MAX_TOKENS,
  });
  const sender = new Sender({
    owner,
    clock,
    ids,
    policy,
    ledger,
    quarantine,
    duplicates,
    observer,
    onQueued: (lane, dueAtMs) => retrier.expect(lane, dueAtMs),
    onProviderBack: (lane) => void retrier.providerIsBack(lane),
  });
  const retrier = new Retrier({ owner, clock, policy, store, ledger, sender, lanes: lanes.all });
  const dispatcher = new Dispatcher({
    owner,
    clock,
    ids,
    policy,
    store,
    ledger,
    sender,
    quarantine,
    duplicates,
    limits,
    lanes,
    observer,
  });
  const exchange = new LocalReplyExchange();
  const asker = new Asker(
    { clock, ids, ledger, sender, dispatcher, exchange, observer },
    { maxWaits: config.maxReplyWaits, maxWaitsPerTarget: MAX_WAITS_PER_TARGET },
  );
  return {
    owner,
    lanes,
    ledger,
    quarantine,
    duplicates,
    sender,
    retrier,
    dispatcher,
    exchange,
    asker,
    draining: false,
  };
}

function laneOptions(config: Config) {
  return {
    maxInFlight: config.maxInFlight,
    maxUnprovenInFlight: Math.max(1, Math.floor(config.maxInFlight / 4)),
    maxQueued: config.maxQueued,
    maxQueueMs: MAX_QUEUE_MS,
    breaker: { failuresToOpen: 3, probeIntervalMs: 400 },
  };
}

/** Makes what an earlier process left behind due, and remembers which tokens are dead and which worked. */
async function recover(core: Core, store: Store, clock: Clock): Promise<void> {
  await store.recover({ nowMs: clock.nowMs() });
  const [quarantined, proven] = await Promise.all([
    store.listQuarantine({ nowMs: clock.nowMs(), limit: MAX_QUARANTINED }),
    store.listProvenTokens(MAX_TOKENS),
  ]);
  core.quarantine.load(quarantined, proven);
}

async function listen(
  core: Core,
  config: Config,
  given: {
    readonly clock: Clock;
    readonly ids: Ids;
    readonly log: Log;
    readonly readiness: () => Readiness;
  },
): Promise<RunningServer> {
  const { clock, ids, log, readiness } = given;
  const header = config.trustedAddressHeader;
  const app = createApp({
    notify: {
      dispatcher: core.dispatcher,
      asker: core.asker,
      catalogue: catalogueOf(config),
      requestIds: new RequestIds(ids),
      parse: parseBreezBody,
      externalUrl: config.externalUrl,
      replyDeadlineMs: config.replyDeadlineMs,
    },
    exchange: core.exchange,
    addressLimit:
      header === undefined ? undefined : new AddressLimit(clock, header, config.addressRate),
    readiness,
    onRefused: ({ requestId, method, route, error }) => {
      const level = error.status === 500 ? 'error' : 'info';
      const cause = error.status === 500 ? { cause: String(error.cause) } : {};
      log.say(level, 'request_refused', {
        requestId,
        method,
        route,
        code: error.code,
        status: error.status,
        ...cause,
      });
    },
  });
  return await startServer(app, ids, {
    ...addressOf(config),
    maxConnections: config.maxConnections,
  });
}

function addressOf(config: Config): { readonly host: string; readonly port: number } {
  const { httpAddress } = config;
  if (httpAddress === undefined) return { host: '::', port: config.port };
  const colon = httpAddress.lastIndexOf(':');
  const host = httpAddress.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: host === '' ? '::' : host, port: Number(httpAddress.slice(colon + 1)) };
}

function catalogueOf(config: Config): Readonly<Record<string, Kind>> {
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

async function warmAll(providers: readonly AppProvider[]): Promise<readonly Reach[]> {
  return await Promise.all(
    providers.map(async ({ app, address, provider }) => {
      return { app, provider: provider.name, address, health: await provider.warm() };
    }),
  );
}

// The only place that wires things together: configuration in, a running service out.

import { isServer } from './config/files.ts';
import { LiveEvents } from './core/operating/live-events.ts';
import type { Clock } from './core/ports/clock.ts';
import type { Ids } from './core/ports/ids.ts';
import type { ReceiptStore } from './core/ports/receipts.ts';
import type { Store } from './core/ports/store.ts';
import type { Readiness } from './http/health.ts';
import type { Log } from './observe/log.ts';
import { createRecorder, recoverCore, wireCore } from './service/core.ts';
import { endpointChecks, wireEndpoints } from './service/events/wire-endpoints.ts';
import { startHousekeeping } from './service/housekeeping.ts';
import { createHttpApp } from './service/http-app.ts';
import { drain, drainMsOf, stopService } from './service/lifecycle.ts';
import { listen, parseAddress, urlOf } from './service/listening.ts';
import { LiveApps, type ReloadReport } from './service/live-apps.ts';
import { joinMachines } from './service/machines/join-machines.ts';
import { type RunningMetrics, startMetrics } from './service/observing/metrics.ts';
import { Observers } from './service/observing/observers.ts';
import { startTraces } from './service/observing/traces.ts';
import type { Prepared } from './service/prepare.ts';
import type { AppProvider } from './service/providers.ts';
import { readReadiness } from './service/readiness.ts';
import { openOperatorSocket, operatorSocketOf } from './service/sockets/operator-socket.ts';
import { makeSharedPath } from './service/sockets/shared-sockets.ts';
import { KnownProofs, type ProvenLane, startProofs } from './service/start-proofs.ts';
import { createSystemClock, createSystemIds } from './service/system.ts';
import { openMemory, openStore } from './storing.ts';

/** What is under way at this moment. */
export interface Load {
  /** Callers that wait for a device's reply, and the ids under which a device may reply. */
  readonly replyCallers: number;
  readonly replyIds: number;
  /** Deliveries that are being sent. */
  readonly sends: number;
}

export interface Service {
  /** The URL at which it listens. */
  readonly url: string;
  /** Where Prometheus reads; absent if NDS_METRICS_ADDRESS is not set. */
  readonly metricsUrl: string | undefined;
  /** Where other machines forward replies to; absent if NDS_NODE_ADDRESS is not set. */
  readonly nodeUrl: string | undefined;
  /** The log, for readers in this process: the demo and tests. */
  readonly store: Store;
  readonly receipts: ReceiptStore;
  readonly ids: Ids;
  /** Resolves when a connection to every provider was tried. */
  readonly reach: Promise<void>;
  /**
   * Reads the files of apps, keys, sources and endpoints again, whole or not at all; no call in flight is lost. Rejects with a
   * `ConfigError` that says why everything stays as it is.
   */
  reload(): Promise<ReloadReport>;
  /** Whether the provider accepts the credentials, for each app and provider. None rejects. */
  readonly proofs: readonly Promise<ProvenLane>[];
  readonly readiness: () => Readiness;
  readonly load: () => Load;
  /** Resolves when the ends of all pushes so far are in the log. */
  settled(): Promise<void>;
  /** Ends cleanly within the grace period and a second; every call waits for the same end. */
  stop(): Promise<void>;
}

/** What differs between `npm start`, the demo and tests. */
export interface Overrides {
  readonly clock?: Clock;
  /** Wraps the store, for example with failures or a recorder. */
  readonly wrapStore?: (store: Store) => Store;
  /** The variables that have another value now than at the start: a reload says that they need a restart. */
  readonly changedNames?: (() => readonly string[]) | undefined;
  /** `false` asks no provider at start. */
  readonly proves?: boolean | undefined;
}

/** Starts a prepared service. If it throws, nothing is left running. */
export async function startService(
  prepared: Prepared,
  log: Log,
  overrides: Overrides = {},
): Promise<Service> {
  const clock = overrides.clock ?? createSystemClock();
  const { config, providers, skew } = prepared;
  const live = new LiveApps({ clock, prepared });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => live.close());
  const observer = new Observers(log.observer);
  const events = new LiveEvents({ clock, join: observer.join, leave: observer.leave });
  const storing = await openStore(config, log, {
    clock,
    observer,
    onLeft: () => core.retrier.start(),
  });
  const {
    store: ownStore,
    devices,
    records,
    receipts,
    operating,
    log: logReader,
    events: eventStore,
    lookupKey,
  } = storing;
  const store = overrides.wrapStore?.(ownStore) ?? ownStore;
  opened.defer(() => store.close());
  const ids = createSystemIds(clock, lookupKey);
  const core = wireCore({
    config,
    rules: live.rules,
    clock,
    ids,
    store,
    receiptStore: receipts,
    providers,
    observer,
    skew,
    owner: storing.owner,
  });
  const recorder = createRecorder(core, { clock, records, observer });
  observer.join(recorder);
  await recoverCore(core, store, clock);
  const endpoints = wireEndpoints({ config, clock, ids, events: eventStore, devices, observer });
  opened.defer(() => endpoints.close());
  const traces = await startTraces(config, clock);
  if (traces !== undefined) {
    observer.join(traces.observer);
    opened.defer(() => traces.close());
  }
  let metrics: RunningMetrics | undefined;
  if (config.metricsAddress !== undefined) {
    const address = parseAddress(config.metricsAddress);
    const { owner } = storing;
    const parts = { config, address, core, clock, ids, store, live, observer, owner };
    metrics = await startMetrics({ ...parts, sqliteVersion: storing.sqliteVersion ?? '' });
    observer.join(metrics.observer);
    opened.defer(() => metrics?.stop());
  }
  const readiness = () =>
    readReadiness({
      ...core,
      lanes: core.lanes.all,
      isDraining: () => core.draining,
      logStoppedAtMs: () => recorder.openGap()?.beganAtMs,
      node: storing.owner,
      commitsAreSafe: storing.commitsAreSafe,
      others: () => endpointChecks(endpoints, clock),
      configuredFor: (lane) =>
        live.providers.find(({ provider }) => provider === lane.provider)?.keys?.[0]?.configured,
    });
  const { secret = '' } = config;
  const machines =
    storing.peers &&
    (await joinMachines({
      ...{ config, secret, clock, ids, log, observer },
      peers: storing.peers,
      local: core.exchange,
    }));
  if (machines !== undefined) opened.defer(() => machines.close());
  const knownProofs = new KnownProofs();
  const app = createHttpApp({
    config,
    live,
    core,
    clock,
    ids,
    store,
    devices,
    operating,
    logReader,
    recorder,
    events,
    endpoints,
    changedNames: overrides.changedNames ?? (() => []),
    log,
    observer,
    readiness,
    exchange: machines?.exchange,
    machineList: storing.machineList,
    wakes: receipts,
    proofs: knownProofs,
  });
  const server = await listen(app, { config, clock, ids, log, observer });
  const { database } = config;
  const socket = await openOperatorSocket(app, {
    choosePath: () =>
      isServer(database) ? makeSharedPath(database, core.owner) : operatorSocketOf(database),
    clock,
    ids,
    onUnusable: (detail) => log.say('warn', 'no_operator_socket', { detail }),
  });
  const listeners = socket === undefined ? [server] : [server, socket];
  // From here on only `stop` ends what was opened.
  opened.move();

  core.retrier.start();
  await endpoints.start(prepared.endpoints);
  const { graceMs } = config;
  const { duplicates } = core;
  const housekeeping = startHousekeeping({
    ...config,
    clock,
    store,
    devices,
    records,
    events: eventStore,
    duplicates,
    sender: core.sender,
    receipts: core.receipts,
    observer,
  });
  let stopped: Promise<void> | undefined;
  const drainMs = drainMsOf(config);
  const stop = async () => {
    core.draining = true;
    housekeeping.stop();
    events.close();
    endpoints.close();
    try {
      if (drainMs > 0) await drain({ ...core, listeners, clock }, drainMs);
      await stopService({ ...core, store, recorder, clock, listeners, live, graceMs });
    } finally {
      await machines?.close();
      await metrics?.stop();
      await traces?.close();
    }
  };
  const reach = warmAll(providers);
  const proofs = startProofs(overrides.proves === false ? [] : providers, {
    clock,
    skew,
    connected: reach,
    openMemory: () => openMemory(config.database, clock),
  });
  knownProofs.follow(proofs);
  return {
    url: urlOf(server),
    metricsUrl: metrics?.url,
    nodeUrl: machines?.url,
    store,
    receipts,
    ids,
    reach,
    proofs,
    reload: () => live.reload({ ...core, endpoints }),
    readiness,
    settled: async () => {
      await core.sender.idle();
      await Promise.all([core.sender.recorded(), core.asker.recorded()]);
      await recorder.written();
      await store.probe();
    },
    load: () => ({
      replyCallers: core.asker.waiting,
      replyIds: core.exchange.size,
      sends: core.sender.running,
    }),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function warmAll(providers: readonly AppProvider[]): Promise<void> {
  await Promise.all(providers.map(({ provider }) => provider.warm()));
}

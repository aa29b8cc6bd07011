// Metrics, if NDS_METRICS_ADDRESS is set: the names in labels, the values of gauges, and the port that Prometheus
// reads.

import type { Config } from '../../config/config.ts';
import { isServer } from '../../config/files.ts';
import { isRace } from '../../core/notification.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Ids } from '../../core/ports/ids.ts';
import type { Observer } from '../../core/ports/observer.ts';
import type { Store } from '../../core/ports/store.ts';
import { DEFAULT_APP } from '../../core/target.ts';
import { createMetricsApp } from '../../http/metrics.ts';
import { DOORS } from '../../http/observed.ts';
import { startServer } from '../../http/server.ts';
import type { KnownNames } from '../../observe/metrics/names.ts';
import type { Core } from '../core.ts';
import { type HostAndPort, urlOf } from '../listening.ts';
import type { LiveApps } from '../live-apps.ts';
import { readVersion } from './version.ts';

/** Connections: a Prometheus or two, and a person. */
const MAX_CONNECTIONS = 16;

export interface RunningMetrics {
  /** Where it listens. */
  readonly url: string;
  /** Receives the core's events. */
  readonly observer: Observer;
  stop(): Promise<void>;
}

export interface StartMetricsParts {
  readonly config: Config;
  readonly address: HostAndPort;
  readonly core: Core;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly store: Store;
  readonly live: LiveApps;
  readonly sqliteVersion: string;
  /** The name of this machine among those that share the database. */
  readonly owner?: string | undefined;
  /** Called for faults of the metrics themselves. */
  readonly observer: Observer;
}

export async function startMetrics(parts: StartMetricsParts): Promise<RunningMetrics> {
  const { config, address, core, clock, ids, store, sqliteVersion, owner, observer } = parts;
  // Loaded only when configured.
  const { createMetrics } = await import('../../observe/metrics/metrics.ts');
  const metrics = createMetrics({
    ...core,
    lanes: () => core.lanes.all,
    clock,
    store,
    database: isServer(config.database) ? undefined : config.database,
    known: namesOf(parts),
    owner,
    build: { version: readVersion(), node: process.versions.node, sqlite: sqliteVersion },
  });
  const app = createMetricsApp({ page: metrics.page, observer });
  const server = await startServer(
    app,
    { clock, ids },
    { ...address, maxConnections: MAX_CONNECTIONS, onRefused: () => {} },
  );
  return {
    url: `${urlOf(server)}/metrics`,
    observer: metrics.observer,
    stop: async () => {
      metrics.stop();
      const closed = server.close();
      server.destroy();
      await closed;
    },
  };
}

/** Apps may be added by a reload; sources and types that a reload adds count as others. */
function namesOf({ core, live }: StartMetricsParts): KnownNames {
  const { catalogue } = live.rules.of(DEFAULT_APP);
  const ofApps = live.providers.flatMap(({ app }) => Object.keys(live.rules.of(app).catalogue));
  const { sources: signed, ownTypes } = live.sources;
  const sources = [...signed.keys()];
  const lanes = core.lanes.all.map(({ app, provider }) => ({ app, provider: provider.name }));
  return {
    apps: { has: (name) => name === DEFAULT_APP || core.lanes.hasApp(name) },
    types: [...new Set([...Object.keys(catalogue), ...ofApps, ...ownTypes.names])],
    races: Object.keys(catalogue).filter((type) => isRace(catalogue[type]?.lifetimeMs ?? 0)),
    appsWithReceipts: core.lanes.all
      .map(({ app }) => app)
      .filter((app) => live.rules.of(app).hasReceipts),
    sources,
    doors: [...new Set([...DOORS, ...sources])],
    lanes,
  };
}

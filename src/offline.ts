// The service without its callers and providers: it owns the database, answers the routes of operators at a socket that
// only this user can reach, and sends nothing. For commands while no service runs.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, type Environment, parseConfig } from './config/config.ts';
import type { Secrets } from './config/secret.ts';
import { loadSources } from './config/sources.ts';
import { LiveEvents } from './core/operating/live-events.ts';
import type { Clock } from './core/ports/clock.ts';
import { Skew } from './core/sending/attempts.ts';
import type { Log } from './observe/log.ts';
import { recoverCore, wireCore } from './service/core.ts';
import { wireEndpoints } from './service/events/wire-endpoints.ts';
import { createHttpApp } from './service/http-app.ts';
import { LiveApps } from './service/live-apps.ts';
import type { Prepared } from './service/prepare.ts';
import { readReadiness } from './service/readiness.ts';
import { listenAt } from './service/sockets/operator-socket.ts';
import { createSystemIds } from './service/system.ts';
import { openSqliteStore } from './stores/sqlite/store.ts';

export interface OfflineService {
  /** Of the socket. */
  readonly path: string;
  close(): Promise<void>;
}

/** The user of a command reads its answer and needs no log. */
const SILENT: Log = {
  observer: { observe: () => {} },
  say: () => {},
  close: async () => {},
};

/** The log is the service's; a command does not write to it. */
const NO_RECORDER = { written: async () => {}, openGap: () => undefined };

/** Rejects with a `DatabaseRefusedError` if a service does run, and with a `ConfigError`. */
export async function serveOffline({
  environment,
  clock,
  keys,
}: {
  readonly environment: Environment;
  readonly clock: Clock;
  readonly keys: Secrets;
}): Promise<OfflineService> {
  const prepared = prepareNothing(environment, clock);
  const { config, skew } = prepared;
  await using opened = new AsyncDisposableStack();
  const opening = openSqliteStore({ file: config.database, keys });
  const {
    store,
    devices,
    operating,
    events: eventStore,
    log: logReader,
    lookupKey,
  } = await opening;
  opened.defer(() => store.close());
  const ids = createSystemIds(clock, lookupKey);
  const live = new LiveApps({ clock, prepared });
  const { rules } = live;
  const { observer } = SILENT;
  const core = wireCore({ config, rules, clock, ids, store, providers: [], observer, skew });
  await recoverCore(core, store, clock);
  const readiness = () => readReadiness({ ...core, lanes: [], isDraining: () => false });
  const machine = { clock, ids, log: SILENT, observer };
  const stores = { store, devices, operating, logReader, recorder: NO_RECORDER };
  const events = new LiveEvents({ clock, join: () => {}, leave: () => {} });
  const silent = { observe: observer.observe, join: () => {}, leave: () => {} };
  const endpoints = wireEndpoints({
    config,
    clock,
    ids,
    events: eventStore,
    devices,
    observer: silent,
  });
  await endpoints.startSilently();
  const nothingNew = { events, endpoints, changedNames: () => [] };
  const app = createHttpApp({
    config,
    live,
    core,
    readiness,
    ...machine,
    ...stores,
    ...nothingNew,
  });
  // A folder of this user alone, and a path that is short enough.
  const folder = mkdtempSync(join(tmpdir(), 'nds-'));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'sock');
  const listener = await listenAt(path, app, { clock, ids });
  opened.defer(async () => {
    const closed = listener.close();
    listener.destroy();
    await closed;
    core.ledger.close();
    await core.ledger.flush();
  });
  const owned = opened.move();
  return { path, close: () => owned.disposeAsync() };
}

/** The configuration without an app: no key is read, and nothing can be sent. */
function prepareNothing(environment: Environment, clock: Clock): Prepared {
  const config = parseConfig(environment);
  const faults: string[] = [];
  const sources = loadSources(config, faults, { apps: [] });
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    config,
    ignored: [],
    apps: [],
    providers: [],
    endpoints: [],
    sources,
    skew: new Skew(clock),
    readAgain: () => Promise.reject(new Error('there is no service that could reload')),
  };
}

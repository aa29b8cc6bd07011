// Assembles the operators' routes from the core and the configuration.

import { ConfigError } from '../config/config.ts';
import { ServiceError } from '../core/errors.ts';
import { withOpenGap } from '../core/finding/find.ts';
import { Operations } from '../core/operating/operations.ts';
import type { LogReader } from '../core/ports/log.ts';
import type { Recorder } from '../core/records/recorder.ts';
import type { DevicesParts } from '../http/devices/routes.ts';
import type { Readiness } from '../http/health.ts';
import type { AppState, OperatorParts, Reloaded } from '../http/operator/parts.ts';
import type { HttpAppParts } from './http-app.ts';
import type { AppProvider } from './providers.ts';

export function operatorParts(
  parts: HttpAppParts,
  { devices }: { readonly devices: DevicesParts },
): OperatorParts {
  const { config, core, clock, ids, live, store, operating, recorder, events, readiness } = parts;
  const appNames = () => [...new Set(live.providers.map(({ app }) => app))];
  const { quarantine, lanes, retrier, dispatcher, exchange } = core;
  return {
    clock,
    store,
    operating,
    operations: new Operations({
      clock,
      ids,
      operating,
      store,
      quarantine,
      lanes,
      retrier,
      refusalsWritten: () => recorder.written(),
    }),
    testPush: {
      clock,
      ids,
      devices: parts.devices,
      get doors() {
        return devices.registry.doors;
      },
      dispatcher,
      rules: live.rules,
      events,
      exchange,
      externalUrl: config.externalUrl,
    },
    devices,
    events,
    log: knowingOpenGap(parts.logReader, recorder),
    endpoints: parts.endpoints,
    findNames: () => {
      return { fingerprint: ids.fingerprint, apps: appNames(), doors: devices.registry.doors };
    },
    retentionMs: config.retentionMs,
    appNames,
    apps: () => statesOf(live.providers, readiness()),
    reload: () => reload(parts),
    onAction: (action) => parts.log.say('info', 'operator_acted', { ...action }),
  };
}

/** "Nothing came" would be wrong for calls that the store could not take. */
function knowingOpenGap(log: LogReader, recorder: Pick<Recorder, 'openGap'>): LogReader {
  const gather: LogReader['gather'] = async (question) => {
    const evidence = await log.gather(question);
    const gap = recorder.openGap();
    return gap === undefined ? evidence : withOpenGap(evidence, gap.beganAtMs);
  };
  return { countPage: log.countPage, gather };
}

function statesOf(providers: readonly AppProvider[], { checks }: Readiness): readonly AppState[] {
  const byApp = Map.groupBy(providers, ({ app }) => app);
  return [...byApp].map(([name, ofApp]) => {
    const states = ofApp.map(({ provider, environment }) => {
      const { ready, status, detail } = checks[`${name}/${provider.name}`] ?? { ready: false };
      const known = status ?? (ready ? 'ready' : 'broken');
      return { name: provider.name, environment, status: known, detail };
    });
    return { name, providers: states };
  });
}

/** Faults name variables, files and fields, never their values. */
async function reload({ live, core, endpoints, changedNames }: HttpAppParts): Promise<Reloaded> {
  try {
    const needs_restart = changedNames();
    return { ...(await live.reload({ ...core, endpoints })), needs_restart };
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const faults = cause.faults.map((message) => ({ field: 'configuration', message }));
    throw new ServiceError('reload_failed', { faults }, { cause });
  }
}

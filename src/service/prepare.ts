// Everything that can be wrong before the service starts, gathered into one message: variables, files,
// keys. The service does not listen and writes nothing until everything is right.

import { type App, type LoadedApps, loadApps } from '../config/apps.ts';
import { readAuthorities } from '../config/authorities.ts';
import {
  type Config,
  ConfigError,
  type Environment,
  isComplete,
  type ReadSettings,
  readSettings,
} from '../config/config.ts';
import { loadEndpoints } from '../config/events/endpoints.ts';
import { checkSmtp } from '../config/events/smtp.ts';
import { isServer } from '../config/files.ts';
import { faultOfSecretFile } from '../config/secret.ts';
import { loadSources, type SignedSources } from '../config/sources.ts';
import { nearest } from '../config/unknown-variables.ts';
import type { ConfiguredEndpoint } from '../core/events/details.ts';
import { CATALOGUE } from '../core/notification.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Skew } from '../core/sending/attempts.ts';
import { type AppProvider, openProviders } from './providers.ts';

/** The part of the configuration that a reload can change. */
export interface AppsAndSources {
  readonly apps: readonly App[];
  readonly providers: readonly AppProvider[];
  readonly sources: SignedSources;
  /** The endpoints of NDS_ENDPOINTS. */
  readonly endpoints: readonly ConfiguredEndpoint[];
}

export interface Prepared extends AppsAndSources {
  readonly config: Config;
  /** A sentence for each variable that is set but has no effect here. */
  readonly ignored: readonly string[];
  /** What Google's answers say about this machine's clock. */
  readonly skew: Skew;
  /**
   * Reads the files of apps, keys, sources and endpoints again and opens the providers that differ from `known`. Throws
   * a `ConfigError`; nothing new is then open.
   */
  readAgain(known: readonly AppProvider[]): Promise<AppsAndSources>;
}

/** How similar a type that callers may have named must be to a known one to count as misspelt. */
const MAX_TYPOS = 2;

/** Throws a `ConfigError` that lists every fault and how to fix it. */
export async function prepare(environment: Environment, clock: Clock): Promise<Prepared> {
  const skew = new Skew(clock);
  const given = { environment: { ...environment }, clock, skew };
  const read = await readAll(given, []);
  return { ...read, skew, readAgain: (known) => readAll(given, known) };
}

interface Given {
  /** The settings from the start: files may change, but variables need a restart. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly skew: Skew;
}

async function readAll(
  { environment, clock, skew }: Given,
  known: readonly AppProvider[],
): Promise<AppsAndSources & Pick<Prepared, 'config' | 'ignored'>> {
  const settings = readSettings(environment);
  const faults = [...settings.faults];
  const { values } = settings;
  const ca = readAuthorities(values.providerCaFile, faults);
  const loaded = loadApps(settings, faults);
  const { apps, names = [] } = loaded;
  const sources = loadSources(values, faults, { apps: names });
  const hasSmtp = settings.given.has('NDS_SMTP_URL');
  const endpoints = loadEndpoints(values, faults, { apps: names, hasSmtp });
  requireForRegistering(settings, faults);
  checkSmtp(settings, faults);
  checkAppKeys(values, faults, { apps: names });
  checkTypes(values, faults, { sources, loaded });
  checkReceipts(settings, faults, loaded);
  checkSecretFile(settings, faults);
  checkNodeAddress(settings, faults);
  const maxInFlight = values.maxInFlight ?? 1;
  const onServerDate = (unixMs: number) => skew.note(unixMs);
  const { httpsProxy: proxy, noProxy } = values;
  const common = { clock, ca, maxInFlight, proxy, noProxy, onServerDate };
  const providers = await openProviders(apps, common, { faults, known });
  const { ignored } = settings;
  if (isComplete(values, faults)) {
    return { config: values, ignored, apps, providers, sources, endpoints };
  }
  const opened = providers.filter((one) => !known.includes(one));
  await Promise.all(opened.map(({ provider }) => provider.close()));
  throw new ConfigError(faults);
}

/** A secret kept beside the registry does not protect it, and a device without URLs cannot be called. */
function requireForRegistering({ values, given }: ReadSettings, faults: string[]): void {
  const users = [
    ...(given.has('NDS_BACKEND_KEYS') ? ['NDS_BACKEND_KEYS'] : []),
    ...(given.has('NDS_APP_KEYS') ? ['NDS_APP_KEYS'] : []),
    ...(values.selfRegistration === true ? ['NDS_SELF_REGISTRATION'] : []),
    ...(values.apiKeys?.some(({ scopes }) => scopes.includes('register')) === true
      ? ['the scope `register` in NDS_API_KEYS']
      : []),
  ];
  if (users.length === 0) return;
  for (const name of ['NDS_SECRET', 'NOTIFY_EXTERNAL_URL']) {
    if (!given.has(name)) faults.push(`${name} is required by ${users.join(', ')}`);
  }
}

/** A key for an app that does not exist would only fail later, at every registration. */
function checkAppKeys(
  { appKeys = [], backendKeys = [], apiKeys = [] }: Partial<Config>,
  faults: string[],
  { apps }: { readonly apps: readonly string[] },
): void {
  for (const [index, { app, key }] of appKeys.entries()) {
    // Named by its number, because the text before the `=` may be a part of a key.
    const entry = `NDS_APP_KEYS: entry ${index + 1}`;
    if (apps.length > 0 && !apps.includes(app)) {
      faults.push(`${entry} names an app that does not exist; there are: ${apps.join(', ')}`);
    }
    // Anybody who has the app can read a key inside it.
    if (backendKeys.includes(key)) {
      faults.push(`${entry} must not have a key of NDS_BACKEND_KEYS`);
    }
  }
  const others = [...backendKeys, ...appKeys.map(({ key }) => key)];
  for (const [index, { secret }] of apiKeys.entries()) {
    if (others.includes(secret)) {
      faults.push(
        `NDS_API_KEYS: entry ${index + 1} must not have a key of NDS_BACKEND_KEYS or NDS_APP_KEYS`,
      );
    }
  }
}

/** A phone needs an address to send its receipt to, and only a receipt shows that no second push is needed. */
function checkReceipts(
  { given }: ReadSettings,
  faults: string[],
  { apps, setting }: LoadedApps,
): void {
  for (const { name, settings } of apps) {
    const source = `${setting}: ${name}`;
    if (settings.receipts === true && !given.has('NOTIFY_EXTERNAL_URL')) {
      faults.push(`NOTIFY_EXTERNAL_URL is required by ${source}: receipts`);
    }
    if (settings.second_knock === true && settings.receipts !== true) {
      faults.push(`${source}: second_knock needs receipts: true`);
    }
  }
}

/**
 * A misspelt type would keep the built-in title and lifetime. Callers of the generic and the `standard` source use
 * types of their own, so with these sources only a name that is almost a known one is a fault.
 */
function checkTypes(
  config: Partial<Config>,
  faults: string[],
  { sources, loaded }: { readonly sources: SignedSources; readonly loaded: LoadedApps },
): void {
  const { titles = {}, lifetimesMs = {}, backendKeys = [], appKeys = [] } = config;
  const known = [...Object.keys(CATALOGUE), ...sources.ownTypes.names];
  const isOpen =
    sources.ownTypes.any ||
    backendKeys.length + appKeys.length > 0 ||
    config.selfRegistration === true;
  const check = (setting: string, types: readonly string[]) => {
    for (const type of types) {
      if (known.includes(type)) continue;
      const likely = nearest(type, known, isOpen ? MAX_TYPOS : undefined);
      const names = `${setting} names a type that no source sends`;
      if (likely !== undefined) faults.push(`${names}; did you mean ${likely}?`);
      else if (!isOpen) faults.push(`${names}; docs/configuration.md lists the types`);
    }
  };
  check('NDS_LIFETIMES', Object.keys(lifetimesMs));
  check('NDS_TITLES', Object.keys(titles));
  for (const { name, settings } of loaded.apps) {
    const field = (field: string) => `${loaded.setting}: ${name}: ${field}`;
    check(field('types'), settings.types ?? []);
    check(field('titles'), Object.keys(settings.titles ?? {}));
    check(field('lifetimes'), Object.keys(settings.lifetimes ?? {}));
    check(field('priorities'), Object.keys(settings.priorities ?? {}));
  }
}

/** Only the other machines may reach this address. */
function checkNodeAddress({ values }: ReadSettings, faults: string[]): void {
  const { nodeAddress, database, httpAddress, port = 0, metricsAddress } = values;
  if (nodeAddress === undefined) return;
  // A missing database is reported separately.
  if (database !== undefined && !isServer(database)) {
    faults.push('NDS_NODE_ADDRESS needs NDS_DATABASE=postgres://…, which machines share');
  }
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));
  const others = [
    httpAddress ?? `:${port}`,
    ...(metricsAddress === undefined ? [] : [metricsAddress]),
  ];
  const own = portOf(nodeAddress);
  if (own !== 0 && others.some((other) => portOf(other) === own)) {
    faults.push('NDS_NODE_ADDRESS must have a port of its own, which the internet cannot reach');
  }
}

function checkSecretFile({ values, given }: ReadSettings, faults: string[]): void {
  if (given.has('NDS_SECRET') || values.database === undefined) return;
  if (isServer(values.database)) {
    faults.push(
      'NDS_SECRET is required by NDS_DATABASE=postgres://…: the same one on every machine',
    );
    return;
  }
  const fault = faultOfSecretFile(values.database);
  if (fault !== undefined) faults.push(fault);
}

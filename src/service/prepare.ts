// Everything that can be wrong before the service starts, gathered into one message: variables, files,
// keys. Nothing listens and nothing is written until all of it is right.

import { loadApps } from '../config/apps.ts';
import {
  type Config,
  ConfigError,
  type Environment,
  isComplete,
  readSettings,
} from '../config/config.ts';
import { readNamedText } from '../config/files.ts';
import { loadSources, type SignedSources } from '../config/sources.ts';
import type { Clock } from '../core/ports/clock.ts';
import { type AppProvider, openProviders } from './providers.ts';

export interface Prepared {
  readonly config: Config;
  readonly providers: readonly AppProvider[];
  readonly sources: SignedSources;
}

/** Throws a `ConfigError` that lists every fault and how to mend it. */
export async function prepare(environment: Environment, clock: Clock): Promise<Prepared> {
  const settings = readSettings(environment);
  const faults = [...settings.faults];
  const { values } = settings;
  const ca = readCa(values.providerCaFile, faults);
  const apps = loadApps(values, faults);
  const names = apps.map(({ name }) => name);
  const sources = loadSources(values, faults, { apps: names });
  requireForRegistering(values, faults);
  checkAppKeys(values, faults, { apps: names });
  const maxInFlight = values.maxInFlight ?? 1;
  const providers = await openProviders(apps, { clock, ca, maxInFlight }, faults);
  if (isComplete(values, faults)) return { config: values, providers, sources };
  await Promise.all(providers.map(({ provider }) => provider.close()));
  throw new ConfigError(faults);
}

/** A registry whose secret lies beside it protects nobody, and a device without URLs is of no use. */
function requireForRegistering(config: Partial<Config>, faults: string[]): void {
  const users = [
    ...((config.backendKeys ?? []).length > 0 ? ['NDS_BACKEND_KEYS'] : []),
    ...((config.appKeys ?? []).length > 0 ? ['NDS_APP_KEYS'] : []),
    ...(config.selfRegistration === true ? ['NDS_SELF_REGISTRATION'] : []),
  ];
  if (users.length === 0) return;
  const names = users.join(', ');
  if (config.secret === undefined) faults.push(`NDS_SECRET is required by ${names}`);
  if (config.externalUrl === undefined) faults.push(`NOTIFY_EXTERNAL_URL is required by ${names}`);
}

/** A key for an app that is not there would be refused at every registration, in the field. */
function checkAppKeys(
  { appKeys = [], backendKeys = [] }: Partial<Config>,
  faults: string[],
  { apps }: { readonly apps: readonly string[] },
): void {
  for (const [index, { app, key }] of appKeys.entries()) {
    // By its number: what stands before the `=` may be a part of a key.
    const entry = `NDS_APP_KEYS: entry ${index + 1}`;
    if (apps.length > 0 && !apps.includes(app)) {
      faults.push(`${entry} names an app that does not exist; there are: ${apps.join(', ')}`);
    }
    // A key inside an app can be read by everybody who has the app.
    if (backendKeys.includes(key)) {
      faults.push(`${entry} must not have a key of NDS_BACKEND_KEYS`);
    }
  }
}

function readCa(file: string | undefined, faults: string[]): string | undefined {
  if (file === undefined) return undefined;
  const forContent = 'write it to a file and give the path of that';
  return readNamedText({ name: 'NDS_PROVIDER_CA_FILE', path: file, forContent }, faults);
}

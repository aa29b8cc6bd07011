// Opens a provider for each set of credentials: which adapter, with which key, is decided only here.

import { isDeepStrictEqual } from 'node:util';
import type { ApnsCredentials, FcmCredentials } from '../config/app-credentials.ts';
import type { App } from '../config/apps.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { ProvableProvider, Prover, Provider } from '../core/ports/provider.ts';
import type { PushFormat } from '../core/push-format.ts';
import type { ApnsEnvironment, ProviderName } from '../core/target.ts';
import type { FcmOptions } from '../providers/fcm/fcm-provider.ts';
import { formatOf } from './app-rules.ts';
import { type Configured, configuredKeys, fingerprintOf } from './configured.ts';

export interface OpenOptions extends Pick<FcmOptions, 'proxy' | 'noProxy' | 'onServerDate'> {
  readonly clock: Clock;
  /** PEM of further certificate authorities. */
  readonly ca: string | undefined;
  readonly maxInFlight: number;
}

export interface AppProvider {
  readonly app: string;
  readonly provider: Provider;
  /** Of an app's APNs. */
  readonly environment?: ApnsEnvironment | undefined;
  /** For the start-up report: where its pushes go. */
  readonly address: string;
  /** The configuration that it was opened with: a reload keeps it and its connections as long as this is the same. */
  readonly openedWith?: unknown;
  /** In the order in which they are used. */
  readonly keys?: readonly ProvableKey[] | undefined;
}

/** One set of credentials of an app at a provider, for a proof. */
export interface ProvableKey {
  readonly prover: Prover;
  readonly configured: Configured;
  /** Changes with every value that the provider checks. */
  readonly credentials: string;
}

/**
 * Opens the providers of all apps, except those of `known` that have not changed, and adds unusable credentials to
 * `faults`.
 */
export async function openProviders(
  apps: readonly App[],
  options: OpenOptions,
  { faults, known = [] }: { readonly faults: string[]; readonly known?: readonly AppProvider[] },
): Promise<readonly AppProvider[]> {
  const opened: AppProvider[] = [];
  for (const { create, ...wanted } of apps.flatMap(wantedBy)) {
    const openedWith = { ca: options.ca, ...wanted };
    const kept = known.find((one) => isDeepStrictEqual(one.openedWith, openedWith));
    if (kept !== undefined) {
      opened.push(kept);
      continue;
    }
    const { app, address, environment, credentials } = wanted;
    try {
      const provider = await create(options);
      const keys = keysOf(provider, credentials);
      opened.push({ app, address, environment, openedWith, provider, keys });
    } catch (error) {
      faults.push(`${app}: ${error instanceof Error ? error.message : 'unusable credentials'}`);
    }
  }
  return opened;
}

function keysOf(
  { provers }: ProvableProvider,
  credentials: ApnsCredentials | FcmCredentials,
): readonly ProvableKey[] {
  return configuredKeys(credentials).flatMap((configured, index) => {
    const prover = provers[index];
    if (prover === undefined) return [];
    return [{ prover, configured, credentials: fingerprintOf(configured, credentials) }];
  });
}

interface Wanted extends Pick<AppProvider, 'app' | 'address' | 'environment'> {
  readonly name: ProviderName;
  readonly credentials: ApnsCredentials | FcmCredentials;
  readonly format: PushFormat;
  /** Loads its module only now: google-auth-library costs 21 MB and 90 ms. */
  create(options: OpenOptions): Promise<ProvableProvider>;
}

function wantedBy({ name: app, apns, fcm, settings }: App): readonly Wanted[] {
  const format = formatOf(settings);
  const wanted: Wanted[] = [];
  if (apns !== undefined) {
    wanted.push(wantedApns({ app, apns, format, name: 'apns' }));
    const { sandboxEndpoint: endpoint } = apns;
    if (endpoint !== undefined) {
      const sandbox = { ...apns, endpoint, environment: 'sandbox' } as const;
      wanted.push(wantedApns({ app, apns: sandbox, format, name: 'apns_sandbox' }));
    }
  }
  if (fcm !== undefined) {
    const create = async (options: OpenOptions) => {
      const { createFcmProvider } = await import('../providers/fcm/fcm-provider.ts');
      return await createFcmProvider({ ...fcm, ...options, format });
    };
    const what = { app, name: 'fcm', credentials: fcm, format } as const;
    wanted.push({ ...what, address: fcm.endpoint, create });
  }
  return wanted;
}

function wantedApns({
  app,
  apns,
  format,
  name,
}: {
  readonly app: string;
  readonly apns: ApnsCredentials;
  readonly format: PushFormat;
  readonly name: 'apns' | 'apns_sandbox';
}): Wanted {
  const { endpoint, environment } = apns;
  const create = async ({ onServerDate: _, ...options }: OpenOptions) => {
    const { createApnsProvider } = await import('../providers/apns/apns-provider.ts');
    return createApnsProvider({ ...apns, ...options, format, name });
  };
  return { app, name, credentials: apns, format, address: endpoint, environment, create };
}

// Opens a provider for each set of credentials: which adapter, with which key, is decided only here.

import type { AppCredentials } from './apps.ts';
import { ConfigError } from './config.ts';
import type { Clock } from './core/clock.ts';
import type { Provider } from './core/provider.ts';

export interface OpenOptions {
  readonly clock: Clock;
  /** PEM of further certificate authorities. */
  readonly ca: string | undefined;
  readonly maxInFlight: number;
}

export interface AppProvider {
  readonly app: string;
  readonly provider: Provider;
  /** For the start-up report: where its pushes go. */
  readonly address: string;
}

/** Opens the providers of all apps. Throws a `ConfigError` that lists every credential that is no good. */
export async function openProviders(
  apps: readonly AppCredentials[],
  options: OpenOptions,
): Promise<readonly AppProvider[]> {
  const faults: string[] = [];
  const opened: AppProvider[] = [];
  const open = async (app: string, address: string, create: () => Promise<Provider>) => {
    try {
      opened.push({ app, address, provider: await create() });
    } catch (error) {
      faults.push(`${app}: ${error instanceof Error ? error.message : 'unusable credentials'}`);
    }
  };
  const common = {
    clock: options.clock,
    maxConcurrentStreams: options.maxInFlight,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  };
  // Loaded only when configured: firebase-admin costs 25 MB and 100 ms.
  for (const { name, apns, fcm } of apps) {
    if (apns !== undefined) {
      const { createApnsProvider } = await import('./providers/apns/send.ts');
      await open(name, apns.endpoint, async () => createApnsProvider({ ...apns, ...common }));
    }
    if (fcm !== undefined) {
      const { createFcmProvider } = await import('./providers/fcm/send.ts');
      await open(name, fcm.endpoint, async () => createFcmProvider({ ...fcm, ...common }));
    }
  }
  if (faults.length > 0) {
    await Promise.all(opened.map(({ provider }) => provider.close()));
    throw new ConfigError(faults);
  }
  return opened;
}

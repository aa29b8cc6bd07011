// Opens a provider for each set of credentials: which adapter, with which key, is decided only here.

import type { AppCredentials } from '../config/apps.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Provider } from '../core/ports/provider.ts';
import type { FcmOptions } from '../providers/fcm/fcm-provider.ts';

export interface OpenOptions extends Pick<FcmOptions, 'proxy' | 'noProxy' | 'onServerDate'> {
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

/** Opens the providers of all apps and adds every credential that is no good to `faults`. */
export async function openProviders(
  apps: readonly AppCredentials[],
  options: OpenOptions,
  faults: string[],
): Promise<readonly AppProvider[]> {
  const opened: AppProvider[] = [];
  const open = async (app: string, address: string, create: () => Promise<Provider>) => {
    try {
      opened.push({ app, address, provider: await create() });
    } catch (error) {
      faults.push(`${app}: ${error instanceof Error ? error.message : 'unusable credentials'}`);
    }
  };
  const { onServerDate, ...common } = options;
  // Loaded only when configured: google-auth-library costs 21 MB and 90 ms.
  for (const { name, apns, fcm } of apps) {
    if (apns !== undefined) {
      const { createApnsProvider } = await import('../providers/apns/apns-provider.ts');
      await open(name, apns.endpoint, async () => createApnsProvider({ ...apns, ...common }));
    }
    if (fcm !== undefined) {
      const { createFcmProvider } = await import('../providers/fcm/fcm-provider.ts');
      await open(name, fcm.endpoint, async () =>
        createFcmProvider({ ...fcm, ...common, onServerDate }),
      );
    }
  }
  return opened;
}

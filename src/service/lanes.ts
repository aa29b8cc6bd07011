// The lanes of all apps, and the refusal of a call whose app or provider is not configured.

import { type Lanes, laneKey } from '../core/answering/dispatcher.ts';
import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Lane, type LaneOptions } from '../core/sending/lane.ts';
import { DEFAULT_APP, type ProviderName } from '../core/target.ts';
import type { AppProvider } from './providers.ts';

const WHAT_TO_SET: Readonly<Record<ProviderName, string>> = {
  apns: 'APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT (a token of hex digits is an APNs token)',
  fcm: 'GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON',
};

export interface AllLanes extends Lanes {
  readonly all: readonly Lane[];
}

export function createLanes(
  providers: readonly AppProvider[],
  clock: Clock,
  options: LaneOptions,
): AllLanes {
  const byKey = new Map<string, Lane>();
  for (const { app, provider } of providers) {
    byKey.set(laneKey(app, provider.name), new Lane({ app, provider, clock, options }));
  }
  const all = [...byKey.values()];
  const missing = (app: string, provider: ProviderName): ServiceError => {
    if (app !== DEFAULT_APP && !all.some((lane) => lane.app === app)) {
      return new ServiceError('unknown_app');
    }
    const variables =
      app === DEFAULT_APP ? WHAT_TO_SET[provider] : `${provider} of this app in NDS_APPS_FILE`;
    const name = provider === 'apns' ? 'APNs' : 'FCM';
    return new ServiceError('provider_not_configured', {
      detail: `This push would go by ${name}, which is not configured: set ${variables}.`,
    });
  };
  return { byKey, all, missing };
}

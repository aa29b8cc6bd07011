// The lanes of all apps, and the refusal of a call whose app or provider is not configured.

import { type Lanes, laneKey } from '../core/answering/find-lane.ts';
import { ServiceError } from '../core/errors.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Lane, type LaneOptions } from '../core/sending/lane.ts';
import { type ApnsEnvironment, DEFAULT_APP, providerFor, type Target } from '../core/target.ts';
import type { AppProvider } from './providers.ts';

const WHAT_TO_SET = {
  apns: 'APNS_KEY_FILE, APNS_KEY_ID, APNS_TEAM_ID, APNS_TOPIC and APNS_ENVIRONMENT (a token of hex digits is an APNs token)',
  fcm: 'GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_APPLICATION_CREDENTIALS_JSON',
};
const NAMES = { apns: 'APNs', fcm: 'FCM' };

/** One lane for each app and provider; a reload adds, changes and removes some. */
export class AppLanes implements Lanes {
  readonly #clock: Clock;
  readonly #options: LaneOptions;
  #all: readonly Lane[] = [];
  /** By `laneKey`; changed by `replace` alone. */
  byKey: ReadonlyMap<string, Lane> = new Map();

  constructor(providers: readonly AppProvider[], clock: Clock, options: LaneOptions) {
    this.#clock = clock;
    this.#options = options;
    this.replace(providers);
  }

  get all(): readonly Lane[] {
    return this.#all;
  }

  hasApp(app: string): boolean {
    return this.#all.some((lane) => lane.app === app);
  }

  /** Lanes that stay keep their pushes in flight and their breaker, and use their new provider from now on. */
  replace(providers: readonly AppProvider[]): {
    readonly added: readonly Lane[];
    readonly removed: readonly Lane[];
  } {
    const before = this.#all;
    const byKey = new Map<string, Lane>();
    const all = providers.map(({ app, provider, environment }) => {
      const known = before.find((lane) => lane.app === app && lane.provider.name === provider.name);
      const lane = known ?? this.#create(app, provider);
      lane.provider = provider;
      for (const key of keysOf(lane, environment)) byKey.set(key, lane);
      return lane;
    });
    this.#all = all;
    this.byKey = byKey;
    return {
      added: all.filter((lane) => !before.includes(lane)),
      removed: before.filter((lane) => !all.includes(lane)),
    };
  }

  missing(target: Target): ServiceError {
    const { app, environment } = target;
    // Strangers must not learn which apps exist.
    if (!this.hasApp(app)) return new ServiceError('unknown_app');
    const inJson = 'of this app in NDS_APPS or NDS_APPS_FILE';
    const provider = providerFor(target.platform, target.token);
    if (provider === 'apns' && this.byKey.has(laneKey(app, 'apns'))) {
      const plain = app === DEFAULT_APP ? 'APNS_ENVIRONMENT, or for both environments ' : '';
      return new ServiceError('provider_not_configured', {
        detail: `This token is of APNs’ ${environment} environment, which this app is not configured for: set ${plain}\`environment\` of apns ${inJson}.`,
      });
    }
    const variables = app === DEFAULT_APP ? WHAT_TO_SET[provider] : `${provider} ${inJson}`;
    return new ServiceError('provider_not_configured', {
      detail: `This push would go by ${NAMES[provider]}, which is not configured: set ${variables}.`,
    });
  }

  #create(app: string, provider: AppProvider['provider']): Lane {
    return new Lane({ app, provider, clock: this.#clock, options: this.#options });
  }
}

/** The keys under which a target finds this lane: without an environment the app's only one, or production. */
function keysOf(
  { app, provider }: Lane,
  environment: ApnsEnvironment | undefined,
): readonly string[] {
  if (provider.name === 'fcm') return [laneKey(app, 'fcm')];
  const own = laneKey(app, 'apns', environment);
  return provider.name === 'apns' ? [laneKey(app, 'apns'), own] : [own];
}

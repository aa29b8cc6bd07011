// By which lane a push to a target goes.

import type { ServiceError } from '../errors.ts';
import type { Lane } from '../sending/lane.ts';
import { providerFor, type Target } from '../target.ts';

/** The lanes of all apps, and what to say where there is none. */
export interface Lanes {
  /** By `laneKey`. */
  readonly byKey: ReadonlyMap<string, Lane>;
  /** `unknown_app` or `provider_not_configured`. */
  missing(target: Target): ServiceError;
}

/** The lane that a token uses; without an environment the app's own, or production if the app has both. */
export function laneKey(app: string, provider: 'apns' | 'fcm', environment = ''): string {
  return `${app}\n${provider}\n${environment}`;
}

/**
 * The lane by which a push to this target would go. Throws `unknown_app` or `provider_not_configured`. A token of one
 * environment of APNs is never tried at the other: BadDeviceToken there would say nothing about it.
 */
export function findLane(lanes: Lanes, target: Target): Lane {
  const { app, platform, token, environment } = target;
  const lane = lanes.byKey.get(laneKey(app, providerFor(platform, token), environment));
  if (lane === undefined) throw lanes.missing(target);
  return lane;
}

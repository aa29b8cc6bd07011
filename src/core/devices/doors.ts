// The names of the doors that the core and the configuration treat differently from those of the sources.

import type { Door } from '../ports/devices.ts';

/** The Breez family's door: token form and handle form alike. */
export const NOTIFY_DOOR = 'notify';
/** The source whose callers name users by domain; its path has no handle. */
export const DOMAIN_SOURCE = 'spark_payment_received';
export const LSPS5_SOURCE = 'lsps5';

/** Every door that takes handles: the Breez family's, and one for each signed source but the domains'. */
export function doorsOf(sources: Iterable<string>): readonly Door[] {
  return [NOTIFY_DOOR, ...[...sources].filter((name) => name !== DOMAIN_SOURCE)];
}

/** A domain of the Breez LNURL server, as configured. */
export interface Domain {
  readonly app: string;
  readonly secrets: readonly string[];
}

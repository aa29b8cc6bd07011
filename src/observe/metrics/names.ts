// Which values a label may take. Whatever a caller can invent (an app, a type) becomes `other`, so that calls cannot
// add series; what was not known when a request ended is `unknown`.

import type { ProviderName } from '../../core/target.ts';

/** Whether a name is known now. */
export type Names = Pick<ReadonlySet<string>, 'has'>;

export interface KnownNames {
  readonly apps: Names;
  /** Notification types of the catalogue and of the configuration. */
  readonly types: readonly string[];
  /** Those of them that somebody waits for. */
  readonly races: readonly string[];
  /** Apps whose phones send receipts. */
  readonly appsWithReceipts: readonly string[];
  readonly sources: readonly string[];
  readonly doors: readonly string[];
  readonly lanes: readonly { readonly app: string; readonly provider: ProviderName }[];
}

const OTHER = 'other';
export const UNKNOWN = 'unknown';
/** Values for requests that reached no door. */
export const NO_DOOR = 'none';

/** Returns a name as it is if it is one of these. */
export function limitTo(names: readonly string[] | Names): (name: string | undefined) => string {
  const known = 'has' in names ? names : new Set(names);
  return (name) => {
    if (name === undefined) return UNKNOWN;
    return known.has(name) ? name : OTHER;
  };
}

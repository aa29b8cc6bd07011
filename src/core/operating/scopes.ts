// What a caller of the API may do. Keys have scopes; a client of the Unix socket has all of them.

export const SCOPES = ['read', 'operate', 'register', 'endpoints'] as const;

/**
 * - `read`: the log, refusals, quarantine, apps, figures; devices without their URLs.
 * - `operate`: what changes the service: retry, forget, release, test pushes, reload.
 * - `register`: devices with their URLs, which grant the right to wake a phone.
 * - `endpoints`: where events are sent.
 */
export type Scope = (typeof SCOPES)[number];

export interface Principal {
  /** For the log: who did it. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Of a session of the page: when it ends, Unix seconds. */
  readonly endsAt?: number | undefined;
}

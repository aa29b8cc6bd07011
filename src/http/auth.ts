// Who calls the registry and the API: a key with scopes, an app's key, or a client of a socket that grants scopes.
// Keys are compared by digest, so that neither length nor content shows in the time it takes.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.ts';
import type { Principal, Scope } from '../core/operating/scopes.ts';
import type { Clock } from '../core/ports/clock.ts';
import { Buckets, refuseFor } from '../core/tokens/limits.ts';
import type { ClientAddressOf } from './limits/client-address.ts';

export interface AuthKeys {
  /** NDS_BACKEND_KEYS: they have the scope `register`. */
  readonly backend: readonly string[];
  readonly apps: readonly { readonly app: string; readonly key: string }[];
  readonly api: readonly {
    readonly name: string;
    readonly scopes: readonly Scope[];
    readonly secret: string;
  }[];
}

export interface AuthOptions {
  readonly keys: AuthKeys;
  readonly clock: Clock;
  readonly clientAddressOf: ClientAddressOf | undefined;
}

/** What Node and the listener know of a call. */
export interface CallerEnv {
  readonly incoming: IncomingMessage;
  /** Set by a listener whose clients are all trusted; never by the public one. */
  readonly principal?: Principal | undefined;
}

export type Caller =
  | { readonly kind: 'principal'; readonly principal: Principal }
  /** A key that ships inside an app: it may only register devices of that app. */
  | { readonly kind: 'app'; readonly app: string };

const BEARER = /^Bearer ([\x21-\x7e]{1,512})$/i;
/**
 * Wrong keys from one address that are answered 401; beyond this, 429. A right key is never refused because of them.
 */
const WRONG_KEYS = { burst: 100, perSecond: 1 };
const MAX_ADDRESSES = 10_000;

export class Authenticator {
  readonly #keys: readonly { readonly digest: Buffer; readonly caller: Caller }[];
  readonly #hasBackend: boolean;
  readonly #hasApi: boolean;
  readonly #wrongKeys: Buckets;
  readonly #clientAddressOf: ClientAddressOf | undefined;

  constructor({ keys, clock, clientAddressOf }: AuthOptions) {
    const backend = { name: 'NDS_BACKEND_KEYS', scopes: ['register'] } as const;
    this.#keys = [
      ...keys.backend.map((secret) => keyOf({ ...backend, secret })),
      ...keys.api.map(keyOf),
      ...keys.apps.map(({ app, key }) => {
        return { digest: digestOf(key), caller: { kind: 'app', app } as const };
      }),
    ];
    this.#hasBackend = keys.backend.length > 0;
    this.#hasApi = keys.api.length > 0;
    this.#wrongKeys = new Buckets(clock, WRONG_KEYS, MAX_ADDRESSES);
    this.#clientAddressOf = clientAddressOf;
  }

  /** Whether routes that need one of these scopes exist for this caller: without a key that could have it, they do not. */
  serves({ principal }: CallerEnv, scopes: readonly Scope[]): boolean {
    return (
      principal !== undefined || this.#hasApi || (this.#hasBackend && scopes.includes('register'))
    );
  }

  /** The caller, if the call names one. Throws `unauthorized` for a key that is unknown. */
  identify({ incoming, principal }: CallerEnv): Caller | undefined {
    if (principal !== undefined) return { kind: 'principal', principal };
    const header = incoming.headers.authorization;
    if (header === undefined) return undefined;
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) throw new ServiceError('unauthorized');
    const digest = digestOf(token);
    // Every key is compared, so that the time does not show which one came close.
    const [found] = this.#keys.filter((key) => timingSafeEqual(key.digest, digest));
    if (found !== undefined) return found.caller;
    this.#countWrongKey(incoming);
    throw new ServiceError('unauthorized');
  }

  /** The caller, if it has one of these scopes. Throws `unauthorized` or `insufficient_scope`. */
  require(env: CallerEnv, ...scopes: readonly Scope[]): Principal {
    const caller = this.identify(env);
    if (caller?.kind !== 'principal') throw new ServiceError('unauthorized');
    requireScope(caller.principal, ...scopes);
    return caller.principal;
  }

  #countWrongKey(incoming: IncomingMessage): void {
    const address = this.#clientAddressOf?.(incoming) ?? incoming.socket.remoteAddress ?? '';
    const waitMs = this.#wrongKeys.take(address);
    refuseFor(waitMs, 'Too many wrong keys from this address.', 'wrong_keys');
  }
}

/** Throws `insufficient_scope` unless the caller has one of these scopes. */
export function requireScope(principal: Principal, ...scopes: readonly Scope[]): void {
  if (scopes.some((scope) => principal.scopes.has(scope))) return;
  const detail = `This call needs a key with the scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}.`;
  throw new ServiceError('insufficient_scope', { detail });
}

function keyOf({ name, scopes, secret }: AuthKeys['api'][number]) {
  const principal: Principal = { name, scopes: new Set(scopes) };
  return { digest: digestOf(secret), caller: { kind: 'principal', principal } as const };
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

// Sessions of the page: who signed in with a key of the API, for twelve hours. A session is signed with the key itself,
// so it needs no table, is valid at every machine and after a restart, and ends when its key is removed from the
// configuration.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Principal, Scope } from '../../core/operating/scopes.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { Ids } from '../../core/ports/ids.ts';

export const SESSION_SECONDS = 12 * 3_600;

/** The scope that a key needs to sign in. */
export const LEAST_SCOPE: Scope = 'read';

const FORM = /^([\w-]{12})\.([0-9a-z]{1,8})\.([\w-]{22})\.([\w-]{43})$/;

export interface SessionKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secret: string;
}

export interface Session {
  readonly principal: Principal;
  /** Unix seconds. */
  readonly endsAt: number;
}

interface SigningKey {
  readonly id: string;
  readonly digest: Buffer;
  readonly signing: Buffer;
  readonly principal: Principal;
}

export interface SessionsParts {
  readonly keys: readonly SessionKey[];
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'secret'>;
}

export class Sessions {
  readonly #keys: readonly SigningKey[];
  readonly #clock: Clock;
  readonly #ids: SessionsParts['ids'];

  constructor({ keys, clock, ids }: SessionsParts) {
    this.#keys = keys.filter(({ scopes }) => scopes.includes(LEAST_SCOPE)).map(signingKeyOf);
    this.#clock = clock;
    this.#ids = ids;
  }

  /** Whether any key may sign in. */
  get arePossible(): boolean {
    return this.#keys.length > 0;
  }

  /** A new session for the secret of a key that may sign in. */
  open(secret: string): { readonly token: string; readonly session: Session } | undefined {
    const digest = digestOf(secret);
    // Every key is compared, so that the time does not show which one came close.
    const [key] = this.#keys.filter((one) => timingSafeEqual(one.digest, digest));
    if (key === undefined) return undefined;
    const endsAt = this.#nowSeconds() + SESSION_SECONDS;
    const text = `${key.id}.${endsAt.toString(36)}.${this.#ids.secret()}`;
    return { token: `${text}.${sign(key, text)}`, session: { principal: key.principal, endsAt } };
  }

  /** Undefined for a session that has ended, was changed, or whose key is gone. */
  read(token: string): Session | undefined {
    const [, id, ending = '', , signature = ''] = FORM.exec(token) ?? [];
    const key = this.#keys.find((one) => one.id === id);
    if (key === undefined) return undefined;
    const signed = token.slice(0, token.lastIndexOf('.'));
    if (!timingSafeEqual(Buffer.from(sign(key, signed)), Buffer.from(signature))) return undefined;
    const endsAt = Number.parseInt(ending, 36);
    const leftSeconds = endsAt - this.#nowSeconds();
    // A clock that was set back must not make a session last longer.
    if (leftSeconds <= 0 || leftSeconds > SESSION_SECONDS) return undefined;
    return { principal: { ...key.principal, endsAt }, endsAt };
  }

  #nowSeconds(): number {
    return Math.floor(this.#clock.wallMs() / 1_000);
  }
}

function signingKeyOf({ name, scopes, secret }: SessionKey): SigningKey {
  return {
    id: createHmac('sha256', secret).update('nds page key').digest('base64url').slice(0, 12),
    digest: digestOf(secret),
    signing: createHmac('sha256', secret).update('nds page sessions').digest(),
    principal: { name, scopes: new Set(scopes) },
  };
}

function sign({ signing }: SigningKey, text: string): string {
  return createHmac('sha256', signing).update(text).digest('base64url');
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

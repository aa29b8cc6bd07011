// Who calls the registry: the vendor's backend, an app, or a wallet that signed its registration. Keys are
// compared by digest, so that neither length nor content shows in the time it takes.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../core/errors.ts';

export interface AuthKeys {
  readonly backend: readonly string[];
  readonly apps: readonly { readonly app: string; readonly key: string }[];
}

export type Caller =
  | { readonly kind: 'backend' }
  /** A key that ships inside an app: it may only register devices of that app. */
  | { readonly kind: 'app'; readonly app: string };

const BEARER = /^Bearer ([\x21-\x7e]{1,512})$/i;

export class Authenticator {
  readonly #backend: readonly Buffer[];
  readonly #apps: readonly { readonly app: string; readonly digest: Buffer }[];

  constructor({ backend, apps }: AuthKeys) {
    this.#backend = backend.map(digestOf);
    this.#apps = apps.map(({ app, key }) => ({ app, digest: digestOf(key) }));
  }

  /** The owner of the bearer token, if one was sent. Throws `unauthorized` if the token is unknown. */
  identify(incoming: IncomingMessage): Caller | undefined {
    const header = incoming.headers.authorization;
    if (header === undefined) return undefined;
    const token = BEARER.exec(header)?.[1];
    if (token === undefined) throw new ServiceError('unauthorized');
    const digest = digestOf(token);
    // Every key is compared, so that the time does not show which one came close.
    const isBackend = this.#backend.filter((key) => timingSafeEqual(key, digest)).length > 0;
    const [ofApp] = this.#apps.filter((key) => timingSafeEqual(key.digest, digest));
    if (isBackend) return { kind: 'backend' };
    if (ofApp !== undefined) return { kind: 'app', app: ofApp.app };
    throw new ServiceError('unauthorized');
  }

  /** Throws `unauthorized` unless the vendor's backend calls. */
  requireBackend(incoming: IncomingMessage): void {
    if (this.identify(incoming)?.kind !== 'backend') throw new ServiceError('unauthorized');
  }
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

// GET, POST and DELETE /admin/session: who is signed in, signing in with a key of the API, signing out.

import { z } from 'zod';
import { ServiceError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { Buckets, refuseFor } from '../../core/tokens/limits.ts';
import { readBody } from '../body.ts';
import type { HttpContext } from '../context.ts';
import { checkBody, parseJsonBody } from '../devices/device-body.ts';
import type { OperatorAction } from '../operator/parts.ts';
import { json } from '../success.ts';
import {
  type AccessParts,
  addressOf,
  endSession,
  requireOwnPage,
  sessionOf,
  setSession,
} from './access.ts';
import type { Session } from './sessions.ts';

/** Wrong keys. A person who pastes the wrong key needs few; and more would not help to guess 32 characters. */
const TRIES = {
  ofAddress: { burst: 5, perSecond: 5 / 60 },
  ofAll: { burst: 30, perSecond: 30 / 60 },
};
const MAX_ADDRESSES = 10_000;

const signInBody = z.strictObject({ key: z.string().min(1).max(512) });

interface SignInParts {
  readonly clock: Clock;
  /** For the log: whose key it was. */
  readonly onSignedIn: (action: OperatorAction) => void;
}

export class SignIn {
  readonly #access: AccessParts;
  readonly #onSignedIn: SignInParts['onSignedIn'];
  readonly #ofAddress: Buckets;
  readonly #ofAll: Buckets;

  constructor(access: AccessParts, { clock, onSignedIn }: SignInParts) {
    this.#access = access;
    this.#onSignedIn = onSignedIn;
    this.#ofAddress = new Buckets(clock, TRIES.ofAddress, MAX_ADDRESSES);
    this.#ofAll = new Buckets(clock, TRIES.ofAll, 1);
  }

  /** POST /admin/session. Beyond the limits no key is checked, not even a right one. */
  async signIn(c: HttpContext): Promise<Response> {
    const bytes = await readBody(c);
    const way = requireOwnPage(this.#access, c);
    const { key } = checkBody(signInBody, parseJsonBody(bytes));
    const address = addressOf(this.#access, c);
    refuseFor(this.#ofAddress.waitMs(address), 'Too many wrong keys from this address.');
    refuseFor(this.#ofAll.waitMs('all'), 'Too many wrong keys at this page.');
    const opened = this.#access.sessions.open(key.trim());
    if (opened === undefined) {
      this.#ofAddress.take(address);
      this.#ofAll.take('all');
      const detail = 'Wrong key: it must be one of NDS_API_KEYS and have the scope read.';
      throw new ServiceError('unauthorized', { detail });
    }
    setSession(c, opened.token, way);
    const { principal } = opened.session;
    this.#onSignedIn({ by: principal.name, method: 'POST', route: '/admin/session' });
    return json(c, describe(principal));
  }

  /** GET /admin/session: without a session this is not an error. */
  whoIs(c: HttpContext): Response {
    const session = sessionOf(this.#access, c);
    return json(c, session === undefined ? { scopes: [] } : describe(session.principal));
  }

  /** DELETE /admin/session */
  signOut(c: HttpContext): Response {
    requireOwnPage(this.#access, c);
    endSession(c);
    return json(c, { status: 'signed_out' });
  }
}

function describe({ name, scopes }: Session['principal']) {
  return { name, scopes: [...scopes] };
}

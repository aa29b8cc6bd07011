// The provider token of APNs: checks the key as the operator configured it, signs, and renews in the rhythm
// that Apple asks for ("Establishing a token-based connection to APNs": not more often than every 20
// minutes, not less often than every 60).

import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Clock } from '../../core/ports/clock.ts';

export interface ApnsKey {
  /** The content of the `.p8` file. */
  readonly key: string;
  readonly keyId: string;
  readonly teamId: string;
}

const TEN_CHARACTERS = /^[A-Z0-9]{10}$/;
const BUNDLE_ID = /^[A-Za-z0-9][A-Za-z0-9.-]{0,154}$/;
const WHERE = 'Apple Developer account, "Certificates, Identifiers & Profiles"';

/** What is wrong with the content of a `.p8` file and how to fix it; never repeats any of it. */
export function checkApnsKey(pem: string): string | undefined {
  if (!pem.includes('-----BEGIN')) {
    return 'is not PEM: it must be the content of the AuthKey_….p8 file with its BEGIN and END lines';
  }
  if (!pem.includes('\n')) {
    return pem.includes('\\n')
      ? 'has \\n spelled out where line breaks belong: replace each by a line break'
      : 'has lost its line breaks: it must be the content of the AuthKey_….p8 file, unchanged';
  }
  if (!pem.includes('-----BEGIN PRIVATE KEY-----')) {
    return 'is not a PKCS#8 private key: give the AuthKey_….p8 file as Apple handed it out';
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return 'cannot be read: copy the AuthKey_….p8 file again, whole and unchanged';
  }
  const isP256 =
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256
    ? undefined
    : 'is not an APNs key (ECDSA P-256): it may be the private key of something else';
}

export function checkApnsKeyId(keyId: string): string | undefined {
  return TEN_CHARACTERS.test(keyId)
    ? undefined
    : `must be the 10 capital letters and digits shown beside the key (${WHERE}, Keys)`;
}

export function checkApnsTeamId(teamId: string): string | undefined {
  return TEN_CHARACTERS.test(teamId)
    ? undefined
    : 'must be the 10 capital letters and digits of the team (Apple Developer account, Membership)';
}

export function checkApnsTopic(topic: string): string | undefined {
  return BUNDLE_ID.test(topic)
    ? undefined
    : `must be the app's bundle id, such as com.example.wallet (${WHERE}, Identifiers)`;
}

const MAX_AGE_MS = 50 * 60_000;
const MIN_AGE_MS = 20 * 60_000;
/** If the wall clock was set by more than this since signing, the token's `iat` is wrong. */
const CLOCK_WAS_SET_MS = 60_000;

/** Signs by the machine's wall clock; measures ages by the service's clock. */
export class ProviderToken {
  readonly #clock: Clock;
  readonly #header: string;
  readonly #teamId: string;
  readonly #key: KeyObject;
  #current: string;
  #signedAtMs: number;
  #signedAtWallMs: number;

  constructor({ key, keyId, teamId }: ApnsKey, clock: Clock) {
    this.#clock = clock;
    this.#header = base64url({ alg: 'ES256', kid: keyId });
    this.#teamId = teamId;
    this.#key = createPrivateKey(key);
    this.#signedAtMs = clock.nowMs();
    this.#signedAtWallMs = clock.wallMs();
    this.#current = this.#signed();
  }

  /** The JWT to send now, younger than 50 minutes. */
  get current(): string {
    if (this.#clock.nowMs() - this.#signedAtMs >= MAX_AGE_MS) this.#renew();
    return this.#current;
  }

  /**
   * Apple called `jwt` expired. True if another one can be used, so that trying again makes sense: a newer
   * one was signed meanwhile, or this one is old enough to be replaced, or the clock was set since.
   */
  replaceExpired(jwt: string): boolean {
    if (jwt !== this.#current) return true;
    const ageMs = this.#clock.nowMs() - this.#signedAtMs;
    const wallAgeMs = this.#clock.wallMs() - this.#signedAtWallMs;
    if (ageMs < MIN_AGE_MS && Math.abs(wallAgeMs - ageMs) < CLOCK_WAS_SET_MS) return false;
    this.#renew();
    return true;
  }

  #renew(): void {
    this.#signedAtMs = this.#clock.nowMs();
    this.#signedAtWallMs = this.#clock.wallMs();
    this.#current = this.#signed();
  }

  /** RFC 7515 and RFC 7518 section 3.4: ES256 signs with `r` and `s` side by side, not in DER. */
  #signed(): string {
    const claims = base64url({
      iss: this.#teamId,
      iat: Math.floor(this.#signedAtWallMs / 1_000),
    });
    const content = `${this.#header}.${claims}`;
    const key = { key: this.#key, dsaEncoding: 'ieee-p1363' } as const;
    return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
  }
}

function base64url(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}

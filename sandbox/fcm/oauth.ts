// Google's token endpoint and the access tokens that it gave out. Google: "Using OAuth
// 2.0 for Server to Server Applications" (developers.google.com/identity/protocols/oauth2/
// service-account). Times are the machine's, because clients sign with its clock.
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { z } from 'zod';
import type { Answer } from '../exchange.ts';
import type { Identity } from '../identity.ts';

export const GOOGLE_TOKEN_URL = 'https://oauth2.googleapis.com/token';
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const SCOPES = [
  'https://www.googleapis.com/auth/firebase.messaging',
  'https://www.googleapis.com/auth/cloud-platform',
];
/** An assertion may live an hour at most; a minute more is for clocks that differ a little. */
const MAX_LIFE_SECONDS = 3600;
const MAX_SKEW_SECONDS = 60;
/** Access tokens remembered; the oldest is forgotten first. */
const MAX_ACCESS_TOKENS = 10_000;

const headerSchema = z.object({ alg: z.literal('RS256') });
const claimsSchema = z.object({
  iss: z.string(),
  scope: z.string().optional(),
  aud: z.string(),
  iat: z.number(),
  exp: z.number(),
});

export interface OAuthOptions {
  readonly identity: Identity;
  /** `expires_in` of a new access token, seconds. Google's is 3599. */
  readonly lifetimeSeconds: number;
  /** This server's own token URL, accepted as audience beside Google's. */
  readonly ownTokenUrl: () => string;
}

export interface Refusal {
  readonly error: string;
  readonly description: string;
}

export interface OAuth {
  /** Answers the form body of `POST /token`; the refusal is undefined on success. */
  exchange(form: string): { readonly answer: Answer; readonly refusal: Refusal | undefined };
  /** Whether this `authorization` header has an access token that is still valid. */
  accepts(authorization: string | undefined): boolean;
  /** Makes every access token that was given out so far invalid. */
  revokeAll(): void;
}

export function createOAuth(options: OAuthOptions): OAuth {
  const publicKey = createPublicKey(options.identity.serviceAccountKey);
  /** The whole header value → when it expires, ms. */
  const issued = new Map<string, number>();

  function check(form: URLSearchParams): Refusal | undefined {
    if (form.get('grant_type') !== GRANT_TYPE) {
      const description = `Invalid grant_type: ${form.get('grant_type') ?? ''}`;
      return { error: 'unsupported_grant_type', description };
    }
    const [head = '', body = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const header = headerSchema.safeParse(decodeJson(head));
    const claims = claimsSchema.safeParse(decodeJson(body));
    if (!header.success || !claims.success) return invalidGrant('Bad Request');
    const { iss, aud } = claims.data;
    if (iss !== options.identity.clientEmail) {
      return invalidGrant('Invalid grant: account not found');
    }
    const signed = Buffer.from(`${head}.${body}`);
    if (!verify('sha256', signed, publicKey, Buffer.from(signature, 'base64url'))) {
      return invalidGrant('Invalid JWT Signature.');
    }
    if (aud !== GOOGLE_TOKEN_URL && aud !== options.ownTokenUrl()) {
      return invalidGrant('Invalid JWT: Failed audience check.');
    }
    return checkTimes(claims.data) ?? checkScope(claims.data.scope);
  }

  return {
    exchange(form) {
      const refusal = check(new URLSearchParams(form));
      if (refusal !== undefined) return { answer: oauthErrorAnswer(400, refusal), refusal };
      const accessToken = `ya29.sandbox-${randomBytes(24).toString('base64url')}`;
      issued.set(accessToken, Date.now() + options.lifetimeSeconds * 1000);
      const [oldest] = issued.keys();
      if (issued.size > MAX_ACCESS_TOKENS && oldest !== undefined) issued.delete(oldest);
      const body = JSON.stringify({
        access_token: accessToken,
        expires_in: options.lifetimeSeconds,
        token_type: 'Bearer',
      });
      return { answer: { status: 200, headers: jsonHeaders, body }, refusal: undefined };
    },
    accepts(authorization) {
      if (authorization === undefined || !/^bearer /i.test(authorization)) return false;
      const expiresAtMs = issued.get(authorization.slice('bearer '.length));
      return expiresAtMs !== undefined && expiresAtMs > Date.now();
    },
    revokeAll() {
      issued.clear();
    },
  };
}

const jsonHeaders = { 'content-type': 'application/json; charset=UTF-8' };

/** Google's form of a refused grant: `{"error":…,"error_description":…}`. */
export function oauthErrorAnswer(status: number, { error, description }: Refusal): Answer {
  const body = JSON.stringify({ error, error_description: description });
  return { status, headers: jsonHeaders, body };
}

function checkTimes({ iat, exp }: { iat: number; exp: number }): Refusal | undefined {
  const nowSeconds = Date.now() / 1000;
  const sound =
    iat <= nowSeconds + MAX_SKEW_SECONDS &&
    exp > nowSeconds - MAX_SKEW_SECONDS &&
    exp - iat <= MAX_LIFE_SECONDS + MAX_SKEW_SECONDS;
  return sound
    ? undefined
    : invalidGrant(
        'Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.',
      );
}

function checkScope(scope: string | undefined): Refusal | undefined {
  const granted = scope?.split(' ').some((part) => SCOPES.includes(part)) ?? false;
  if (granted) return undefined;
  const description = 'Invalid OAuth scope or ID token audience provided.';
  return { error: 'invalid_scope', description };
}

function invalidGrant(description: string): Refusal {
  return { error: 'invalid_grant', description };
}

function decodeJson(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}

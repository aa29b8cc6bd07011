// The provider token (JWT) of APNs: signature, key id, team, age, and how often it may change. Apple: "Establishing a
// token-based connection to APNs". Ages are measured by the machine's clock: a sandbox with a clock of its own does not
// check them.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { z } from 'zod';
import type { Connection } from '../connection.ts';
import type { Identity } from '../identity.ts';
import type { ApnsReason } from './reasons.ts';

/** Apple refuses a token whose `iat` is more than an hour ago. */
const MAX_AGE_SECONDS = 3600;
/** Apple names no tolerance; with a minute, small differences between two clocks do not matter. */
const MAX_SKEW_SECONDS = 60;
/** Apple: a provider token may change at most once every 20 minutes. */
const MIN_UPDATE_GAP_MS = 20 * 60_000;
/** Distinct tokens whose signature check is remembered. */
const MAX_REMEMBERED = 1_000;

const headerSchema = z.object({ alg: z.literal('ES256'), kid: z.string() });
const claimsSchema = z.object({ iss: z.string(), iat: z.number().int() });

type Verified =
  | { readonly valid: true; readonly issuedAtSeconds: number }
  | { readonly valid: false };

export interface ProviderTokenCheck {
  /** The reason to refuse, or undefined for a good token. */
  check(authorization: string | undefined, connection: Connection): ApnsReason | undefined;
  /** After ExpiredProviderToken the connection may send a new token at once. */
  forget(connection: Connection): void;
}

export interface ProviderTokenOptions {
  readonly identity: Identity;
  /** Whether tokens that are too old, or from the future, are refused. */
  readonly judgesAge: boolean;
}

export function createProviderTokenCheck({
  identity,
  judgesAge,
}: ProviderTokenOptions): ProviderTokenCheck {
  const publicKey = createPublicKey(identity.apnsKey);
  const remembered = new Map<string, Verified>();
  const inUse = new WeakMap<Connection, { readonly token: string; readonly sinceMs: number }>();

  function verifyOnce(token: string): Verified {
    const known = remembered.get(token);
    if (known !== undefined) return known;
    const verified = verifyToken(token, { publicKey, identity });
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(token, verified);
    return verified;
  }

  return {
    check(authorization, connection) {
      if (authorization === undefined) return 'MissingProviderToken';
      if (!/^bearer /i.test(authorization)) return 'InvalidProviderToken';
      const token = authorization.slice('bearer '.length);
      const verified = verifyOnce(token);
      if (!verified.valid) return 'InvalidProviderToken';
      const nowMs = Date.now();
      const ageSeconds = nowMs / 1000 - verified.issuedAtSeconds;
      if (judgesAge && ageSeconds < -MAX_SKEW_SECONDS) return 'InvalidProviderToken';
      if (judgesAge && ageSeconds > MAX_AGE_SECONDS) return 'ExpiredProviderToken';
      const current = inUse.get(connection);
      if (current?.token === token) return undefined;
      if (current !== undefined && nowMs - current.sinceMs < MIN_UPDATE_GAP_MS) {
        return 'TooManyProviderTokenUpdates';
      }
      inUse.set(connection, { token, sinceMs: nowMs });
      return undefined;
    },
    forget(connection) {
      inUse.delete(connection);
    },
  };
}

function verifyToken(
  token: string,
  { publicKey, identity }: { publicKey: KeyObject; identity: Identity },
): Verified {
  const [head = '', body = '', signature = '', ...rest] = token.split('.');
  const header = headerSchema.safeParse(decodeJson(head));
  const claims = claimsSchema.safeParse(decodeJson(body));
  if (!header.success || !claims.success || rest.length > 0) return { valid: false };
  if (header.data.kid !== identity.apnsKeyId) return { valid: false };
  if (claims.data.iss !== identity.teamId) return { valid: false };
  const signed = verify(
    'sha256',
    Buffer.from(`${head}.${body}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  return signed ? { valid: true, issuedAtSeconds: claims.data.iat } : { valid: false };
}

function decodeJson(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}

// Finds whom a test push is for, from what an operator has: a token, a handle, a device id, or a whole webhook URL.

import { validate } from 'uuid';
import { createTarget, type Platform, tokenFault, tokenKey } from '../../core/target.ts';
import { ArgumentError } from '../standard-input.ts';

/** As the API names them. */
export type Addressee =
  | { readonly device_id: string }
  | { readonly handle: string }
  | {
      readonly token: string;
      readonly platform: Platform;
      readonly environment?: string | undefined;
    };

export interface TokenHints {
  readonly platform?: Platform | undefined;
  readonly environment?: string | undefined;
}

const HANDLE = /^[A-Za-z0-9_-]{22}$/;
const HEX = /^[0-9a-f]+$/i;

export function parseAddressee(text: string, hints: TokenHints): Addressee {
  const known = text.trim();
  if (/^https?:\/\//i.test(known)) return parseUrl(known, hints);
  const id = known.replace(/^urn:uuid:/i, '');
  if (validate(id)) return { device_id: id.toLowerCase() };
  if (HANDLE.test(known) && hints.platform === undefined) return { handle: known };
  return parseToken(known, hints);
}

/** The URL that a caller was given: the handle is the last part of its path, or the token is in its query. */
function parseUrl(text: string, hints: TokenHints): Addressee {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const token = url?.searchParams.get('token');
  if (url !== undefined && typeof token === 'string') {
    const platform = url.searchParams.get('platform') === 'ios' ? 'ios' : 'android';
    const environment = url.searchParams.get('environment') ?? undefined;
    return parseToken(token, { platform, environment, ...hints });
  }
  const handle = url?.pathname.split('/').at(-1) ?? '';
  if (HANDLE.test(handle)) return { handle };
  throw new ArgumentError('the URL has neither a handle at its end nor a token in its query');
}

function parseToken(token: string, { platform, environment }: TokenHints): Addressee {
  const likely = platform ?? likelyPlatform(token);
  const fault = tokenFault(likely, token);
  if (fault !== undefined) {
    throw new ArgumentError(`this is no device id and no handle, and as a token it ${fault}`);
  }
  return { token, platform: likely, environment };
}

/** The platform of a token, if it was not given. */
export function likelyPlatform(token: string): Platform {
  return HEX.test(token) ? 'ios' : 'android';
}

/**
 * The fingerprints under which the log may have a token in an app. For APNs there is one for each environment, since
 * operators rarely know which one a token belongs to.
 */
export function fingerprintsOf(
  token: string,
  { app, fingerprint }: { readonly app: string; readonly fingerprint: (text: string) => string },
): readonly string[] {
  const target = createTarget({ app, platform: 'ios', token });
  const keys = [target, createTarget({ ...target, environment: 'sandbox' })].map(tokenKey);
  return [...new Set(keys)].map(fingerprint);
}

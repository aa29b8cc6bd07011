// Where a push goes: which app, which platform, which token, and by which provider.

export type Platform = 'ios' | 'android';
export type ProviderName = 'apns' | 'fcm';

export interface Target {
  /** The vendor's app whose credentials are used; `default` if there is only one. */
  readonly app: string;
  readonly platform: Platform;
  readonly token: string;
  /** Handed to the app as `app_data`; an empty string is kept, absent leaves the key out. */
  readonly appData?: string;
}

/** Whom a notification is for, and how it came. */
export interface Recipient {
  readonly target: Target;
  /** The registered device; absent for the token form. */
  readonly deviceId?: string;
  /** When the device was registered with this token last, wall time. */
  readonly registeredAtMs?: number;
  /** The source that announced it: the same event from two sources is two notifications. */
  readonly source: string;
}

/** Apple promises no fixed length; today's tokens have 64 hex digits, some 160. */
export const MAX_APNS_TOKEN_CHARACTERS = 200;
export const MAX_FCM_TOKEN_CHARACTERS = 4_096;
export const MAX_APP_NAME_CHARACTERS = 64;

const HEX = /^[0-9a-f]+$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * APNs tokens are hex and FCM tokens never are, so an iOS token tells by its form which provider issued
 * it: a vendor that moves from FCM on iOS to APNs changes nothing at the callers.
 */
export function providerFor(platform: Platform, token: string): ProviderName {
  return platform === 'ios' && HEX.test(token) ? 'apns' : 'fcm';
}

/** What is wrong with a token, in words that do not repeat it; `undefined` if it is well formed. */
export function tokenFault(platform: Platform, token: string): string | undefined {
  if (token === '') return 'must not be empty';
  if (CONTROL.test(token)) return 'must not contain control characters';
  if (token.includes('\ufffd')) return 'must be percent-encoded UTF-8';
  if (providerFor(platform, token) === 'apns') {
    if (token.length % 2 !== 0) return 'is hex, so an APNs token, but of odd length';
    if (token.length > MAX_APNS_TOKEN_CHARACTERS) {
      return `is hex, so an APNs token, but longer than ${MAX_APNS_TOKEN_CHARACTERS} characters`;
    }
    return undefined;
  }
  if (token.length > MAX_FCM_TOKEN_CHARACTERS) {
    return `must have at most ${MAX_FCM_TOKEN_CHARACTERS} characters`;
  }
  return undefined;
}

/** One key for everything that is kept per token (quarantine, limits): the same token under two apps is two. */
export function tokenKey(target: Target): string {
  return `${target.app}\n${target.token}`;
}

// Where a push goes: which app, which platform, which token, and by which provider.

import type { Origin } from './delivery.ts';
import type { Registrar } from './ports/devices.ts';

export type Platform = 'ios' | 'android';
/**
 * `apns_sandbox` is APNs' sandbox environment where an app has both. An app with one environment has `apns` alone,
 * whichever it is.
 */
export type ProviderName = 'apns' | 'apns_sandbox' | 'fcm';
export type ApnsEnvironment = 'production' | 'sandbox';

/** Made by `createTarget`, which normalises the token. */
export interface Target {
  /** The vendor's app whose credentials are used; `default` if there is only one. */
  readonly app: string;
  readonly platform: Platform;
  readonly token: string;
  /** Which of APNs' environments issued the token; absent if that was not said, and for FCM. */
  readonly environment?: ApnsEnvironment | undefined;
  /** Handed to the app as `app_data`; an empty string is kept, absent leaves the key out. */
  readonly appData?: string | undefined;
}

/** The recipient of a notification, and how it came. */
export interface Recipient {
  readonly target: Target;
  /** The registered device; absent for the token form. */
  readonly deviceId?: string;
  /** The device's language, BCP 47. */
  readonly locale?: string | undefined;
  readonly registrar?: Registrar | undefined;
  /** When the device was registered with this token last, wall time. */
  readonly registeredAtMs?: number;
  /** The source that announced it: the same event from two sources is two notifications. */
  readonly source: string;
  /** Absent if no call over HTTP asked for it. */
  readonly origin?: Origin | undefined;
}

/** The app of a vendor that has only one, and of calls that name none. */
export const DEFAULT_APP = 'default';

/** Apple promises no fixed length; today's tokens have 64 or 160 hex digits. */
export const MAX_APNS_TOKEN_CHARACTERS = 200;
export const MAX_FCM_TOKEN_CHARACTERS = 4_096;
export const MAX_APP_NAME_CHARACTERS = 64;

const HEX = /^[0-9a-f]+$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** FCM tokens and installation ids are made of base64url characters and `:`; `.` and `~` are harmless. */
const TOKEN = /^[A-Za-z0-9_.~:-]+$/;
/** Hex after `0x`, as a byte buffer is often printed. */
const PREFIXED_HEX = /^0x[0-9a-f]*$/i;
/** What languages print for a token that the app does not have yet. */
const NOTHING = new Set(['null', 'nil', 'none', 'undefined', 'nan', 'true', 'false']);

/**
 * The only way to make a target. An APNs token may have capital hex digits; the service keeps and sends it in lower
 * case, so that duplicates, limits, quarantine and registry see one token. FCM tokens are case-sensitive and stay as
 * they are.
 */
export function createTarget(given: Target): Target {
  const { platform, token } = given;
  if (providerFor(platform, token) === 'apns') return { ...given, token: token.toLowerCase() };
  const { environment: _, ...withoutEnvironment } = given;
  return withoutEnvironment;
}

/**
 * APNs tokens are hex and FCM tokens never are, so the form of an iOS token shows which provider issued
 * it: a vendor that moves from FCM on iOS to APNs changes nothing at the callers.
 */
export function providerFor(platform: Platform, token: string): 'apns' | 'fcm' {
  return platform === 'ios' && HEX.test(token) ? 'apns' : 'fcm';
}

/** What is wrong with a token, in words that do not repeat it; `undefined` if it is well formed. */
export function tokenFault(platform: Platform, token: string): string | undefined {
  if (token === '') return 'must not be empty';
  if (CONTROL.test(token)) return 'must not contain control characters';
  if (token.includes('\ufffd')) return 'must be percent-encoded UTF-8';
  if (NOTHING.has(token.toLowerCase())) {
    return 'is not a push token: the app sent it before it had one';
  }
  // Apps send their token as `<740f4707 bebcf74f …>`, `{length = 32, …}`, `Optional("…")` or base64.
  if (PREFIXED_HEX.test(token) || !TOKEN.test(token))
    return `is not a push token: ${FORM[platform]}`;
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

const FORM: Readonly<Record<Platform, string>> = {
  ios: "send the bytes of APNs' device token as hex digits alone, or FCM's token as it is",
  android: "send FCM's token as it is",
};

/**
 * One key for everything that is kept per token (quarantine, limits): the same token under two apps is two. So is one
 * that a caller sends to the sandbox: an answer there says nothing about the token in production.
 */
export function tokenKey({ app, token, environment }: Target): string {
  return environment === 'sandbox' ? `${app}\n${token}\nsandbox` : `${app}\n${token}`;
}

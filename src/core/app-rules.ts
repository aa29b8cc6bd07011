// What the vendor decided about the notifications of an app.

import { ServiceError } from './errors.ts';
import {
  completeNotification,
  isRace,
  type Kind,
  kindOf,
  type Notification,
  type ParsedNotification,
} from './notification.ts';
import type { Recipient } from './target.ts';
import type { Rate } from './tokens/limits.ts';

export interface AppRules {
  /** Titles and lifetimes by type. */
  readonly catalogue: Readonly<Record<string, Kind>>;
  /** The types that the app knows; absent: all. */
  readonly types?: ReadonlySet<string> | undefined;
  /** Whether a URL may contain the token itself. */
  readonly takesTokens: boolean;
  /** Whether its pushes ask the phone for a receipt. */
  readonly hasReceipts: boolean;
  /** Whether a second push goes to a phone that should have sent one by now. */
  readonly hasSecondKnock: boolean;
  /** Absent: NDS_TOKEN_RATE. */
  readonly tokenRate?: Rate | undefined;
}

export interface RulesByApp {
  /** The service's own, for whatever an app does not set. */
  readonly ofAll: AppRules;
  readonly byApp: ReadonlyMap<string, AppRules>;
}

/** The rules as they are now; a reload replaces all of them at one moment. */
export class CurrentRules {
  #now: RulesByApp;

  constructor(rules: RulesByApp) {
    this.#now = rules;
  }

  /** For an app that does not exist, the service's own rules; such a call is refused elsewhere. */
  of(app: string): AppRules {
    return this.#now.byApp.get(app) ?? this.#now.ofAll;
  }

  /** Whether any app asks for receipts. */
  get hasReceipts(): boolean {
    const { ofAll, byApp } = this.#now;
    return [ofAll, ...byApp.values()].some((rules) => rules.hasReceipts);
  }

  replace(rules: RulesByApp): void {
    this.#now = rules;
  }
}

/** Whether a push of this type starts something in the app. */
export function knowsType({ types }: AppRules, type: string): boolean {
  return types === undefined || types.has(type);
}

/**
 * The notification as this recipient gets it; undefined if it is news that the app does not know. Throws
 * `type_not_supported` for a race that it does not know: a 200 would let the caller hold a payment for a push that
 * nobody sends.
 */
export function notificationFor(
  rules: AppRules,
  parsed: ParsedNotification,
  { locale }: Recipient,
): Notification | undefined {
  const { type } = parsed;
  if (knowsType(rules, type)) return completeNotification(parsed, rules.catalogue, locale);
  if (isRace(kindOf(type, rules.catalogue).lifetimeMs)) throw typeNotSupported();
  return undefined;
}

/** For a caller that waits for the device, whatever the lifetime. */
export function typeNotSupported(): ServiceError {
  return new ServiceError('type_not_supported');
}

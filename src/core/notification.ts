// What the app must get, and the catalogue of the types that the service knows: title and lifetime.

/** A notification as a source parsed it, before title and lifetime are looked up. */
export interface ParsedNotification {
  /** `notification_type`, by which the app's handler chooses its job. */
  readonly type: string;
  /** `notification_payload`: JSON text, keys sorted, as the Breez plugins decode it. */
  readonly payload: string;
  /** What an operator would search for: payment hash, swap id, transaction id. Kept as a fingerprint only. */
  readonly subject?: string | undefined;
  /** What makes a second call the same notification; the target and the type are added by the core. */
  readonly duplicateOf?: { readonly key: string; readonly windowMs: number };
  /** A title that overrides the catalogue's. */
  readonly title?: string | undefined;
}

export interface Notification extends ParsedNotification {
  /** The only text that the person sees: generic, without amounts. */
  readonly title: string;
  /** The key of a text in the app, which iOS shows in the phone's language instead of the title. */
  readonly titleLocKey?: string | undefined;
  /** How long the push is worth sending, from receipt. */
  readonly lifetimeMs: number;
}

/** One text; texts by language (lower-case BCP 47), of which the first is for all others; or a key of the app. */
export type Title =
  | string
  | { readonly byLanguage: ReadonlyMap<string, string> }
  | { readonly locKey: string };

export interface Kind {
  readonly title: Title;
  readonly lifetimeMs: number;
}

interface BuiltInKind extends Kind {
  readonly title: string;
}

/** What a type may be called. The sources `standard` and generic take their callers' own names, capitals included. */
export const TYPE_NAME = /^[A-Za-z0-9][A-Za-z0-9_:/-]{0,99}$/;

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** The lifetime of a type that the catalogue does not name (a signed source may define its own types). */
export const DEFAULT_LIFETIME_MS = DAY;

/**
 * Titles by breez/notify where it has the type. Lifetimes follow how long the caller holds the payment:
 * lspd 60 s, breez-lnurl 30 s, Boltz 60 s for an invoice request; swaps and confirmations wait for the phone.
 */
export const CATALOGUE: Readonly<Record<string, BuiltInKind>> = {
  payment_received: { title: 'Incoming payment', lifetimeMs: 60 * SECOND },
  tx_confirmed: { title: 'Transaction confirmed', lifetimeMs: DAY },
  address_txs_confirmed: { title: 'Address transactions confirmed', lifetimeMs: DAY },
  lnurlpay_info: { title: 'Receiving payment', lifetimeMs: 30 * SECOND },
  lnurlpay_invoice: { title: 'Invoice requested', lifetimeMs: 30 * SECOND },
  lnurlpay_verify: { title: 'Verify payment', lifetimeMs: 30 * SECOND },
  swap_updated: { title: 'Swap updated', lifetimeMs: DAY },
  invoice_request: { title: 'Invoice request', lifetimeMs: 50 * SECOND },
  nwc_event: { title: 'NWC Event Received', lifetimeMs: 60 * SECOND },
  // bLIP-55: as long as an LSP holds a payment; expiry_soon comes 24 blocks before the end.
  lsps5_payment_incoming: { title: 'Incoming payment', lifetimeMs: 60 * SECOND },
  lsps5_onion_message_incoming: { title: 'Incoming message', lifetimeMs: 60 * SECOND },
  lsps5_expiry_soon: { title: 'Payment about to expire', lifetimeMs: 4 * HOUR },
  lsps5_liquidity_management_request: { title: 'Liquidity request', lifetimeMs: DAY },
  lsps5_webhook_registered: { title: 'Notifications enabled', lifetimeMs: DAY },
  // News about something that has happened already.
  spark_payment_received: { title: 'Payment received', lifetimeMs: DAY },
  spark_lightning_receive_finished: { title: 'Payment received', lifetimeMs: DAY },
  spark_lightning_send_finished: { title: 'Payment sent', lifetimeMs: DAY },
  spark_coop_exit_finished: { title: 'Withdrawal finished', lifetimeMs: DAY },
  spark_static_deposit_finished: { title: 'Deposit received', lifetimeMs: DAY },
  payment_succeeded: { title: 'Payment received', lifetimeMs: DAY },
  payment_failed: { title: 'Payment failed', lifetimeMs: DAY },
  refund_created: { title: 'Refund issued', lifetimeMs: DAY },
};

/** Completes a parsed notification from the app's catalogue; `locale` (BCP 47) chooses among titles by language. */
export function completeNotification(
  parsed: ParsedNotification,
  catalogue: Readonly<Record<string, Kind>>,
  locale?: string,
): Notification {
  const kind = kindOf(parsed.type, catalogue);
  const { lifetimeMs } = kind;
  // The source knows more about this event, for example that it failed.
  if (parsed.title !== undefined) return { ...parsed, title: parsed.title, lifetimeMs };
  const { title } = kind;
  if (typeof title === 'string') return { ...parsed, title, lifetimeMs };
  if ('byLanguage' in title) {
    return { ...parsed, title: textFor(title.byLanguage, locale), lifetimeMs };
  }
  return { ...parsed, title: UNTITLED, titleLocKey: title.locKey, lifetimeMs };
}

const UNTITLED = 'Notification';

export function kindOf(type: string, catalogue: Readonly<Record<string, Kind>>): Kind {
  const kind = Object.hasOwn(catalogue, type) ? catalogue[type] : undefined;
  return kind ?? { title: UNTITLED, lifetimeMs: DEFAULT_LIFETIME_MS };
}

/** The text of the longest matching tag (RFC 4647 section 3.4, "lookup"): `zh-hant-tw`, `zh-hant`, `zh`. */
function textFor(byLanguage: ReadonlyMap<string, string>, locale = ''): string {
  let tag = locale.toLowerCase();
  for (;;) {
    const text = byLanguage.get(tag);
    if (text !== undefined) return text;
    const end = tag.lastIndexOf('-');
    if (end < 0) return [...byLanguage.values()][0] ?? UNTITLED;
    tag = tag.slice(0, end);
  }
}

const LONGEST_RACE_MS = 60_000;
const PHONE_NEEDS_MS = 8_000;

/** Somebody waits for the phone, for a minute at most (lspd holds a payment for 60 s). Everything else is news. */
export function isRace(lifetimeMs: number): boolean {
  return lifetimeMs <= LONGEST_RACE_MS;
}

/**
 * The last instant (service time) at which an attempt may still start. A phone needs at least 8 s to wake,
 * connect and take the payment, so the last 8 s of a race's lifetime are too late for a push.
 */
export function usefulUntilMs(expiresAtMs: number, lifetimeMs: number): number {
  return isRace(lifetimeMs) ? expiresAtMs - PHONE_NEEDS_MS : expiresAtMs;
}

/**
 * The last attempt is planned this long before the useful life ends, so that a late timer or a slow claim
 * does not make it too late.
 */
export const LAST_ATTEMPT_BEFORE_END_MS = 500;

export function lastAttemptMs(usefulUntilMs: number): number {
  return usefulUntilMs - LAST_ATTEMPT_BEFORE_END_MS;
}

/** The useful life of a delivery is over at `nowMs`, service time. */
export function isTooLate(
  delivery: {
    readonly expiresAtMs: number;
    readonly notification: Pick<Notification, 'lifetimeMs'>;
  },
  nowMs: number,
): boolean {
  return nowMs > usefulUntilMs(delivery.expiresAtMs, delivery.notification.lifetimeMs);
}

/** When the lifetime of a delivery in the log ends: it runs from the last repeat that gave it a new one. Wall time. */
export function lifetimeEndMs(logged: {
  readonly receivedAtMs: number;
  readonly renewedAtMs?: number | undefined;
  readonly lifetimeMs: number;
}): number {
  const { receivedAtMs, renewedAtMs = receivedAtMs, lifetimeMs } = logged;
  return renewedAtMs + lifetimeMs;
}

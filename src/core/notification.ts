// What the app must get, and the catalogue of the types that the service knows: title and lifetime.

/** A notification as a source parsed it, before title and lifetime are looked up. */
export interface ParsedNotification {
  /** `notification_type`, by which the app's handler chooses its job. */
  readonly type: string;
  /** `notification_payload`: JSON text, keys sorted, as the Breez plugins decode it. */
  readonly payload: string;
  /** What an operator would search for: payment hash, swap id, transaction id. Kept as a fingerprint only. */
  readonly subject?: string;
  /** What makes a second call the same notification; the target and the type are added by the core. */
  readonly duplicateOf?: { readonly key: string; readonly windowMs: number };
  /** A title that overrides the catalogue's. */
  readonly title?: string;
}

export interface Notification extends ParsedNotification {
  /** The only text that the person sees: generic, without amounts. */
  readonly title: string;
  /** How long the push is worth sending, from receipt. */
  readonly lifetimeMs: number;
}

export interface Kind {
  readonly title: string;
  readonly lifetimeMs: number;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** The lifetime of a type that the catalogue does not name (a signed source may define its own types). */
export const DEFAULT_LIFETIME_MS = DAY;

/**
 * Titles by breez/notify where it has the type. Lifetimes follow how long the caller holds the payment:
 * lspd 60 s, breez-lnurl 30 s, Boltz 60 s for an invoice request; swaps and confirmations wait for the phone.
 */
export const CATALOGUE: Readonly<Record<string, Kind>> = {
  payment_received: { title: 'Incoming payment', lifetimeMs: 60 * SECOND },
  tx_confirmed: { title: 'Transaction confirmed', lifetimeMs: DAY },
  address_txs_confirmed: { title: 'Address transactions confirmed', lifetimeMs: DAY },
  lnurlpay_info: { title: 'Receiving payment', lifetimeMs: 30 * SECOND },
  lnurlpay_invoice: { title: 'Invoice requested', lifetimeMs: 30 * SECOND },
  lnurlpay_verify: { title: 'Verify payment', lifetimeMs: 30 * SECOND },
  swap_updated: { title: 'Swap updated', lifetimeMs: DAY },
  invoice_request: { title: 'Invoice request', lifetimeMs: 50 * SECOND },
  nwc_event: { title: 'NWC Event Received', lifetimeMs: 60 * SECOND },
};

/** Completes a parsed notification from the catalogue, whose entries the vendor may have overridden. */
export function completeNotification(
  parsed: ParsedNotification,
  catalogue: Readonly<Record<string, Kind>>,
): Notification {
  const kind = Object.hasOwn(catalogue, parsed.type) ? catalogue[parsed.type] : undefined;
  return {
    ...parsed,
    title: parsed.title ?? kind?.title ?? 'Notification',
    lifetimeMs: kind?.lifetimeMs ?? DEFAULT_LIFETIME_MS,
  };
}

// The port to a push provider: APNs, FCM, and what comes later.

import type { Outcome } from '../outcome.ts';
import type { Platform, ProviderName } from '../target.ts';

/** Everything a provider needs to build its request; an adapter must use every field. */
export interface PushMessage {
  /** Delivery id in the form of a lower-case UUID; APNs gets it as `apns-id`. A second knock has an id of its own. */
  readonly id: string;
  /** The collapse id by which a push replaces an earlier one on an iPhone; absent: its id. */
  readonly collapseId?: string | undefined;
  readonly platform: Platform;
  readonly token: string;
  readonly appData?: string;
  readonly type: string;
  readonly payload: string;
  readonly title: string;
  /** Sent instead of the title where it is set. */
  readonly titleLocKey?: string | undefined;
  /** Unix seconds of the wall clock after which the provider must no longer deliver (`apns-expiration`). */
  readonly expiresAtUnixSeconds: number;
  /** Milliseconds of the lifetime that are left (FCM `ttl`). */
  readonly remainingMs: number;
  /** Where the phone sends its receipt; a push without room for it goes without. */
  readonly receipt?: ReceiptKey | undefined;
}

/** What an app with receipts gets beside its three keys (docs/wallet/receipts.md). */
export interface ReceiptKey {
  /** The address of the receipt. */
  readonly r: string;
  /** Unix seconds at which the lifetime ends. */
  readonly by: number;
  /** 2 for a second knock; absent for the first push. */
  readonly n?: 2 | undefined;
}

/** A push that is built and measured but not sent. */
export interface PreparedPush {
  /** By how many bytes it exceeds the provider's limit; 0 if it fits. */
  readonly excessBytes: number;
  /** It had no room for the receipt's address. */
  readonly lacksReceipt?: boolean | undefined;
  /** Tries once. Settles within `waitMs` plus `timeoutMs` and never rejects. */
  send(options: PushOptions): Promise<Outcome>;
}

export interface PushOptions {
  /** How long the request may wait here for credentials, a connection and a free stream. */
  readonly waitMs: number;
  /** How long the provider has for its answer, counted from the moment the request is written. */
  readonly timeoutMs: number;
  /**
   * Chooses the connection: tokens that never worked have one of their own, because Apple closes connections
   * that carry many bad tokens.
   */
  readonly trust: Trust;
  /**
   * Called at most once, after an outcome `unanswered` whose stream was left open: the provider's answer that
   * came within 10 s after the deadline.
   */
  readonly onLate?: (outcome: Outcome) => void;
}

export type Trust = 'proven' | 'unproven';

/** What a start-up check or readiness says about a provider. */
export interface ProviderHealth {
  readonly ready: boolean;
  /** From our own tables: what is wrong and what to do. */
  readonly detail?: string;
}

/** Figures of the provider's connections: open streams, and what happened since the start. */
export interface ProviderTraffic {
  /**
   * HTTP/2 streams that are open now, including those whose deadline has passed and that only wait for a late answer.
   */
  readonly streams: number;
  readonly connectionsOpened: number;
  readonly connectionsFailed: number;
}

export interface Provider {
  readonly name: ProviderName;
  /** Pure: builds and measures, touches no connection. */
  prepare(message: PushMessage): PreparedPush;
  /** Opens connections and fetches credentials ahead of the first push. Never rejects. */
  warm(): Promise<ProviderHealth>;
  /** What is known now, without asking the provider. */
  health(): ProviderHealth;
  traffic(): ProviderTraffic;
  /** Closes idle connections at once, and connections in use when their attempts have settled. */
  close(): Promise<void>;
}

/** What tests our credentials at the provider without reaching a phone. */
export interface Prover {
  /**
   * Asks once and never rejects. APNs is sent a push to a random token that no phone has, on a connection of its own:
   * `BadDeviceToken` proves key, key id and team. FCM validates a message to a topic without sending it.
   */
  prove(): Promise<Outcome>;
  /** An earlier process got this answer a moment ago: health counts it as this process's own. */
  recall(outcome: Outcome): void;
}

export interface ProvableProvider extends Provider {
  /** One for each set of credentials that it uses, in their order: APNs has two keys during a rotation. */
  readonly provers: readonly Prover[];
}

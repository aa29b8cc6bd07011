// One notification to one target: the row in the log, its states, and what an attempt leaves behind.

import type { Notification } from './notification.ts';
import type { Outcome } from './outcome.ts';
import type { Registrar } from './ports/devices.ts';
import type { ProviderName, Target } from './target.ts';

export const STATUSES = [
  'queued',
  'delivered',
  'unregistered',
  'rejected',
  'misconfigured',
  'expired',
] as const;

/** `queued` is the only open state; the others are final. */
export type DeliveryStatus = (typeof STATUSES)[number];

/** The call that a delivery is for. */
export interface Origin {
  /** The pattern of the route that took it, never the path. */
  readonly door: string;
  /** The source that read it. */
  readonly source: string;
  /** The caller has it as `Request-Id`. It is also the delivery's id, unless a call makes several. */
  readonly requestId: string;
  /** The call was for all devices of a user. */
  readonly isBroadcast: boolean;
}

/** A delivery that is still on its way: everything needed to send it again. */
export interface Delivery {
  /** Also the `apns-id`, the same on every try. */
  readonly id: string;
  readonly target: Target;
  /** The registered device that it is for; absent for the token form. */
  readonly deviceId?: string;
  /** Who registered it; not kept over a restart. */
  readonly registrar?: Registrar;
  /** When that device was registered with this token last, wall time. */
  readonly registeredAtMs?: number | undefined;
  readonly provider: ProviderName;
  /** Absent if no call asked for it, and after a restart. */
  readonly origin?: Origin | undefined;
  readonly notification: Notification;
  /** Fingerprint of app and token. */
  readonly tokenHash: string;
  /** Fingerprint of the notification's subject. */
  readonly subjectHash?: string;
  /** Wall time of receipt, Unix milliseconds. */
  readonly receivedAtMs: number;
  /** Service time after which the push is worth nothing. */
  readonly expiresAtMs: number;
  /** Attempts that ended so far. */
  readonly attempts: number;
  /** How many of them the provider left `unanswered`: the phone may have got each of these. */
  readonly unanswered: number;
  /**
   * The process ended before the first attempt of an earlier run was recorded: the push was perhaps sent. If
   * the delivery ends undelivered, its reason is `interrupted` and its duplicate key is kept.
   */
  readonly interrupted: boolean;
}

/** One try at a provider. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number;
  /** Wall time, Unix milliseconds. */
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly outcome: Outcome;
}

/** The state of a delivery after an attempt has ended or its time is over. */
export type Next =
  | {
      readonly status: 'queued';
      /** Service time of the next attempt. */
      readonly dueAtMs: number;
      /**
       * Service time before which nothing may start the next attempt, not even a probe or the provider's
       * return: the hold of a throttled token, or the wait after uncertain ends.
       */
      readonly notBeforeMs?: number | undefined;
    }
  | { readonly status: Exclude<DeliveryStatus, 'queued'>; readonly reason?: string | undefined };

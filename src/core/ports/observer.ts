// The port to logs and metrics: the core reports what happened and does not know who listens.

import type { DeliveryStatus } from '../delivery.ts';
import type { ErrorCode } from '../errors.ts';
import type { EventType, MailType } from '../events/catalogue.ts';
import type { Outcome } from '../outcome.ts';
import type { Platform, ProviderName } from '../target.ts';
import type { NamedCall, REPEATED } from './records.ts';

/**
 * Why nothing was delivered, which device, token or user the call named, and whether it names something that a stranger
 * could not know.
 */
export interface RefusedDelivery extends NamedCall {
  readonly code: ErrorCode | typeof REPEATED;
  /** It came by the URL of a configured domain. */
  readonly hasDomain: boolean;
}

/** No event carries a token, a payload or a query: only fingerprints, ids and reasons of our own tables. */
export type ServiceEvent =
  | {
      readonly name: 'delivery_accepted';
      readonly deliveryId: string;
      readonly app: string;
      readonly provider: ProviderName;
      readonly type: string;
    }
  | {
      readonly name: 'attempt_ended';
      readonly deliveryId: string;
      readonly app: string;
      readonly provider: ProviderName;
      readonly type: string;
      readonly number: number;
      readonly latencyMs: number;
      readonly outcome: Outcome['kind'];
      readonly reason?: string;
    }
  | {
      readonly name: 'delivery_settled';
      readonly deliveryId: string;
      readonly app: string;
      readonly provider: ProviderName;
      readonly type: string;
      readonly status: DeliveryStatus;
      readonly attempts: number;
      readonly sinceReceiptMs: number;
      readonly reason?: string;
    }
  | {
      /** The provider answered an attempt after its deadline. */
      readonly name: 'late_answer';
      readonly deliveryId: string;
      readonly app: string;
      readonly provider: ProviderName;
      readonly sinceStartMs: number;
      readonly outcome: Outcome['kind'];
    }
  | {
      /** An internal error: it ended the operation in which it occurred and nothing else. */
      readonly name: 'internal_fault';
      readonly where: string;
      readonly deliveryId?: string;
      /** With its stack, for the log. */
      readonly cause: unknown;
    }
  | {
      readonly name: 'token_held';
      readonly app: string;
      readonly provider: ProviderName;
      readonly tokenHash: string;
      readonly reason: string;
      readonly heldForMs: number;
    }
  | {
      /** News of a type that the configuration of its app does not name. */
      readonly name: 'unknown_type_ignored';
      /** What its caller was told. */
      readonly id: string;
      readonly app: string;
      readonly type: string;
    }
  | {
      /** The store did not say in time whether another machine has the same call; the push went out anyway. */
      readonly name: 'key_unclaimed';
      readonly deliveryId: string;
      readonly app: string;
      readonly provider: ProviderName;
    }
  | { readonly name: 'duplicate_answered'; readonly deliveryId: string; readonly type: string }
  | { readonly name: 'lease_lost' | 'delivery_overdue'; readonly deliveryId: string }
  | {
      readonly name: 'breaker_changed';
      readonly app: string;
      readonly provider: ProviderName;
      readonly state: 'open' | 'closed';
      readonly reason?: string;
    }
  | {
      readonly name: 'token_quarantined';
      readonly app: string;
      readonly provider: ProviderName;
      readonly tokenHash: string;
      readonly reason: string;
    }
  | {
      readonly name: 'condemning_stopped' | 'condemning_resumed';
      readonly app: string;
      readonly provider: ProviderName;
      readonly detail: string;
    }
  | { readonly name: 'store_failed'; readonly reason: string }
  | {
      readonly name: 'store_recovered';
      readonly reason: string;
      /** Deliveries that left no row meanwhile. */
      readonly unlogged: number;
    }
  | {
      /** Refused calls that left no row, because the store failed. */
      readonly name: 'refusals_dropped';
      readonly calls: number;
    }
  | {
      readonly name: 'signature_refused';
      readonly source: string;
      readonly app: string;
      readonly code: string;
      /** True if the allowance is used up: an attack, or a secret that differs. */
      readonly repeated: boolean;
    }
  | {
      readonly name: 'devices_pruned';
      readonly dead: number;
      readonly unseen: number;
    }
  | {
      /** A transaction of the store ended, committed or not; checks of the file do not count. */
      readonly name: 'store_batch_ended';
      readonly operations: number;
      /** From handing it to the store's thread to its answer. */
      readonly durationMs: number;
    }
  | {
      /** A request over HTTP has its answer, refused or not. */
      readonly name: 'request_answered';
      /** The caller has it as `Request-Id`. */
      readonly requestId?: string | undefined;
      /** `_OTHER` for one that the route does not serve. */
      readonly method: string;
      /** The route's pattern, never the path as it came; `*` for a path that is not served. */
      readonly route: string;
      readonly status: number;
      readonly durationMs: number;
      /** Which kind of caller the route is for, or the source of a signed webhook; none for probes and unknown paths. */
      readonly door?: string | undefined;
      /** Whether the door is one of webhooks. */
      readonly isCall: boolean;
      /** As far as it was known when the request ended; as the caller wrote it. */
      readonly app?: string | undefined;
      readonly type?: string | undefined;
      /** What the caller was told, if it was not refused. */
      readonly told?: string | undefined;
      /** Why it was refused. */
      readonly code?: ErrorCode | undefined;
      /** Its deliveries, each with what became of it or the code of its refusal. */
      readonly deliveries?: readonly { readonly id: string; readonly told: string }[] | undefined;
      /** The parts that left no delivery of their own: refused, repeated, or ignored although they asked for a push. */
      readonly refused?: readonly RefusedDelivery[] | undefined;
    }
  | {
      /** A phone says that a push started it. */
      readonly name: 'receipt_taken';
      readonly deliveryId: string;
      readonly app: string;
      readonly platform: Platform;
      readonly type: string;
      readonly stage: string;
      /** Which push it answers: 2 for a second knock. */
      readonly n: number;
      readonly why?: string | undefined;
      /** Of this delivery. */
      readonly isFirst: boolean;
      /** Since the provider took the first push, if that is known. */
      readonly sincePushMs?: number | undefined;
    }
  | {
      readonly name: 'knock_sent';
      readonly deliveryId: string;
      readonly app: string;
      readonly platform: Platform;
      readonly outcome: string;
    }
  | {
      /** `rescued`: the first receipt answers the knock; `late`: it answers the first push; `useless`: none came. */
      readonly name: 'knock_judged';
      readonly deliveryId: string;
      readonly app: string;
      readonly platform: Platform;
      readonly result: 'rescued' | 'late' | 'useless';
    }
  | {
      /** It used to send receipts, and sent none for several pushes over a day. */
      readonly name: 'device_silent';
      readonly app: string;
      readonly platform: Platform;
      readonly tokenHash: string;
      readonly unanswered: number;
    }
  | {
      /** A silent phone sent a receipt; or Android delivers with less priority than was asked for. */
      readonly name: 'device_returned' | 'device_demoted';
      readonly app: string;
      readonly platform: Platform;
      readonly tokenHash: string;
    }
  | {
      /** An event was sent to an endpoint, or sending it failed. */
      readonly name: 'event_sent';
      readonly type: EventType | MailType;
      readonly outcome: 'delivered' | 'refused' | 'gone' | 'failed';
      readonly latencyMs: number;
    }
  | {
      /** Reported after an hour, a day and three days. */
      readonly name: 'endpoint_failing';
      readonly endpointId: string;
      readonly reason: string;
      readonly failingForMs: number;
    }
  | {
      /** The first failure since the last mail that was accepted. */
      readonly name: 'mail_failed';
      readonly endpointId: string;
      readonly reason: string;
      /** Of SMTP. */
      readonly status?: number | undefined;
    }
  | {
      readonly name: 'endpoint_disabled';
      readonly endpointId: string;
      readonly reason: string;
    }
  | {
      readonly name: 'reply_waited';
      readonly deliveryId: string;
      readonly end: 'answered' | 'silent' | 'hung_up' | 'failed' | 'shut_down';
      readonly sincePushMs?: number;
    };

export type EventNamed<Name extends ServiceEvent['name']> = Extract<
  ServiceEvent,
  { readonly name: Name }
>;

export interface Observer {
  /** Must not throw and must not wait. */
  observe(event: ServiceEvent): void;
}

// The port to logs and metrics: the core reports what happened and does not know who listens.

import type { DeliveryStatus } from '../delivery.ts';
import type { Outcome } from '../outcome.ts';
import type { ProviderName } from '../target.ts';

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
      /** A fault of our own: it ended what it belonged to and nothing else. */
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
  | { readonly name: 'store_failed' | 'store_recovered'; readonly reason: string }
  | {
      readonly name: 'signature_refused';
      readonly source: string;
      readonly app: string;
      readonly code: string;
      /** The allowance is used up: an attack, or a secret that differs. */
      readonly repeated: boolean;
    }
  | {
      readonly name: 'devices_pruned';
      readonly dead: number;
      readonly unseen: number;
    }
  | {
      readonly name: 'reply_waited';
      readonly deliveryId: string;
      readonly end: 'answered' | 'silent' | 'hung_up' | 'failed' | 'shut_down';
      readonly sincePushMs?: number;
    };

export interface Observer {
  /** Must not throw and must not wait. */
  observe(event: ServiceEvent): void;
}

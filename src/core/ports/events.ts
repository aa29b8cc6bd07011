// The ports of what the vendor is told: where events and endpoints are kept, and how an event reaches an address. All
// times are wall time.

import type { EventType } from '../events/catalogue.ts';
import type { SendFailure } from '../events/send-failures.ts';

/** A fact as it was recorded. Never a token, a payload or an amount. */
export interface VendorEvent {
  /** The `webhook-id`. */
  readonly id: string;
  readonly atMs: number;
  readonly type: EventType;
  readonly app?: string | undefined;
  readonly provider?: string | undefined;
  readonly deliveryId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly notificationType?: string | undefined;
  readonly reason?: string | undefined;
  /** Lower-case hex SHA-256 of the normalised push token, and of the payment hash or swap id. */
  readonly tokenSha256?: string | undefined;
  readonly subjectSha256?: string | undefined;
  /** The endpoint that was disabled. */
  readonly endpointId?: string | undefined;
}

/** What the vendor is told of a token that is not sent to any more. */
export interface Condemned {
  readonly atMs: number;
  readonly deliveryId: string;
  readonly deviceId?: string | undefined;
  readonly tokenSha256: string;
}

export interface RecordedEvent extends VendorEvent {
  /** Its place in the order. */
  readonly rowId: number;
}

export interface EndpointSecret {
  /** `whsec_…` for HMAC (v1), `whsk_…` for Ed25519 (v1a). */
  readonly secret: string;
  /** An earlier one signs beside the current one until then. */
  readonly untilMs?: number | undefined;
}

export type DisabledReason = 'by_operator' | 'gone' | 'failing';

export interface Endpoint {
  readonly id: string;
  readonly url: string;
  /** The newest first. */
  readonly secrets: readonly EndpointSecret[];
  /** Absent for all apps. */
  readonly app?: string | undefined;
  readonly enabledEvents: readonly string[];
  readonly description?: string | undefined;
  readonly status: 'enabled' | 'disabled';
  readonly disabledReason?: DisabledReason | undefined;
  /** It comes from NDS_ENDPOINTS and can be changed only there. */
  readonly isConfigured: boolean;
  readonly createdAtMs: number;
}

/** How far an endpoint got. */
export interface Progress {
  /** `rowId` of the last event that it has, or that was skipped. */
  readonly cursor: number;
  /** Absent if the last attempt succeeded. */
  readonly failingSinceMs?: number | undefined;
  /** How often it refused its next event. */
  readonly refused: number;
}

export interface StoredEndpoint {
  readonly endpoint: Endpoint;
  readonly progress: Progress;
}

/** Events that were deleted before the endpoint had them. */
export interface Dropped {
  readonly count: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface EndpointAttempt {
  readonly eventId: string;
  readonly type: EventType;
  readonly atMs: number;
  readonly latencyMs: number;
  /** `skipped` is a failure after which the event is not tried again. */
  readonly outcome: 'delivered' | 'failed' | 'skipped';
  /** Of HTTP. */
  readonly status?: number | undefined;
  /** From our own tables. */
  readonly reason?: string | undefined;
}

export interface AttemptNote {
  readonly endpointId: string;
  readonly attempt: EndpointAttempt;
  /** Absent for a test and for an event that was sent again: they change nothing else. */
  readonly progress?: Progress | undefined;
  /** What of `Dropped` the endpoint knows now. */
  readonly told?: Dropped | undefined;
  /** The endpoint is disabled by this attempt. */
  readonly disabledReason?: DisabledReason | undefined;
}

export interface EventStore {
  listEndpoints(): Promise<readonly StoredEndpoint[]>;
  /** Adds it, with everything that is recorded from now on before it, or replaces the one with its id. */
  putEndpoint(endpoint: Endpoint): Promise<StoredEndpoint>;
  /** False if there is none. */
  deleteEndpoint(id: string): Promise<boolean>;
  /** Goes back to before the first event that was recorded since then and is kept. */
  rewind(options: { readonly endpointId: string; readonly sinceMs: number }): Promise<Progress>;
  /** The next events in their order, whoever asked for them. */
  nextEvents(query: {
    readonly endpointId: string;
    readonly afterRowId: number;
    readonly limit: number;
  }): Promise<{
    readonly events: readonly RecordedEvent[];
    readonly dropped?: Dropped | undefined;
  }>;
  findEvent(id: string): Promise<RecordedEvent | undefined>;
  /** Resolves when it is written. A service that is killed before sends the event once more. */
  noteAttempt(note: AttemptNote): Promise<void>;
  /** Newest first. */
  listAttempts(query: {
    readonly endpointId: string;
    readonly limit: number;
  }): Promise<readonly EndpointAttempt[]>;
  /** Deletes up to `limit` events from before, and counts them for the endpoints that lack them. */
  pruneEvents(options: { readonly beforeMs: number; readonly limit: number }): Promise<number>;
}

export type SendResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly kind: 'failed'; readonly reason: SendFailure };

export interface EventSender {
  /** What is wrong with the address, in words that do not repeat it; absent if events may go there. */
  faultOf(url: string): Promise<string | undefined>;
  /** POSTs once. Never rejects. */
  send(request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }): Promise<SendResult>;
  close(): void;
}

// The ports of events for the vendor: where events and endpoints are kept, and how an event reaches an address. All
// times are wall time.

import type { EventType, MailType } from '../events/catalogue.ts';
import type { MailFailure } from '../events/mail-failures.ts';
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

/** What the event about a dead token needs. */
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

/** How often an e-mail endpoint gets its digest: at the full hour, or at midnight, UTC. */
export type DigestPeriod = 'hourly' | 'daily';

export interface Endpoint {
  readonly id: string;
  /** The e-mail address of an e-mail endpoint. */
  readonly url: string;
  /** Only an e-mail endpoint has one. */
  readonly digest?: DigestPeriod | undefined;
  /** The newest first; an e-mail endpoint has none. */
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

/** How far an endpoint has got. */
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
  /** This machine does not send to it: only the store knows how far it has got. */
  readonly isSentElsewhere?: boolean | undefined;
}

/** Events that were deleted before the endpoint had them. */
export interface Dropped {
  readonly count: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface EndpointAttempt {
  readonly eventId: string;
  readonly type: EventType | MailType;
  readonly atMs: number;
  readonly latencyMs: number;
  /** `skipped` is a failure after which the event is not tried again. */
  readonly outcome: 'delivered' | 'failed' | 'skipped';
  /** Of HTTP, or of SMTP. */
  readonly status?: number | undefined;
  /** From our own tables. */
  readonly reason?: string | undefined;
}

export interface AttemptNote {
  readonly endpointId: string;
  readonly attempt: EndpointAttempt;
  /** Absent for a test and for an event that was sent again by hand: these change nothing else. */
  readonly progress?: Progress | undefined;
  /** The part of `Dropped` that was reported to the endpoint. */
  readonly told?: Dropped | undefined;
  /** The counts that were in its digest, and are left out of the next one. */
  readonly digested?: readonly DigestCount[] | undefined;
  /** The endpoint is disabled by this attempt. */
  readonly disabledReason?: DisabledReason | undefined;
}

/** How many events of one kind were not mailed to an e-mail endpoint yet. */
export interface DigestCount {
  readonly type: EventType;
  readonly app?: string | undefined;
  readonly reason?: string | undefined;
  readonly count: number;
  /** Of the first and the last of them. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** An alert that may have to be mailed to an e-mail endpoint at once. */
export interface PendingAlert {
  readonly event: RecordedEvent;
  /** When the same trouble (type, app, provider and endpoint) was last mailed to it. */
  readonly toldAtMs?: number | undefined;
  /** Of a provider that works again. */
  readonly endedAtMs?: number | undefined;
}

/**
 * Where several machines share it, one of them sends to an endpoint: the first that asks for what is next, until it stops
 * or is declared dead. The others get nothing.
 */
export interface EventStore {
  /** Other machines change endpoints, too. */
  readonly isShared?: boolean | undefined;
  listEndpoints(): Promise<readonly StoredEndpoint[]>;
  /**
   * Adds an endpoint, which then gets everything that is recorded from now on, or replaces the one with its id, whose
   * cursor is then `cursor` at least.
   */
  putEndpoint(endpoint: Endpoint, cursor?: number): Promise<StoredEndpoint>;
  /** False if there is none. */
  deleteEndpoint(id: string): Promise<boolean>;
  /** Goes back to before the first event that was recorded since then and is kept. This machine sends to it from now on. */
  rewind(options: { readonly endpointId: string; readonly sinceMs: number }): Promise<Progress>;
  /** The next events in their order, also those that the endpoint did not ask for. */
  nextEvents(query: {
    readonly endpointId: string;
    readonly afterRowId: number;
    readonly limit: number;
  }): Promise<{
    readonly events: readonly RecordedEvent[];
    readonly dropped?: Dropped | undefined;
  }>;
  /** The next events of the kinds that are alerts, in their order, also those that the endpoint did not ask for. */
  nextAlerts(query: {
    readonly endpointId: string;
    readonly afterRowId: number;
    readonly limit: number;
  }): Promise<readonly PendingAlert[]>;
  /**
   * The counts for the next digest of an e-mail endpoint: a few hundred at most, the highest first. Undefined if
   * another machine sends to it.
   */
  readDigest(endpointId: string): Promise<readonly DigestCount[] | undefined>;
  findEvent(id: string): Promise<RecordedEvent | undefined>;
  /** Resolves when it is written. If the service is killed before that, the event is sent again. */
  noteAttempt(note: AttemptNote): Promise<void>;
  /** Newest first. */
  listAttempts(query: {
    readonly endpointId: string;
    readonly limit: number;
  }): Promise<readonly EndpointAttempt[]>;
  /** Deletes up to `limit` older events, and counts them for the endpoints that did not get them. */
  pruneEvents(options: { readonly beforeMs: number; readonly limit: number }): Promise<number>;
}

/** Something that is mailed to e-mail endpoints at once. */
export interface Trouble {
  readonly type: EventType | MailType;
  readonly atMs: number;
  readonly endedAtMs?: number | undefined;
  readonly app?: string | undefined;
  readonly provider?: string | undefined;
  readonly reason?: string | undefined;
  readonly endpointId?: string | undefined;
  readonly failingForMs?: number | undefined;
  readonly deliveryId?: string | undefined;
}

/** What a mail says. Never a token, the hash of one, or a payload. */
export type Mail =
  | { readonly kind: 'test' }
  | { readonly kind: 'alert'; readonly troubles: readonly Trouble[] }
  | {
      readonly kind: 'digest';
      readonly period: DigestPeriod;
      readonly counts: readonly DigestCount[];
    };

export interface MailResult {
  /** `refused` for good: the same mail would be refused again. */
  readonly verdict: 'delivered' | 'refused' | 'failed';
  /** What the server answered, such as 550. */
  readonly status?: number | undefined;
  readonly reason?: MailFailure | undefined;
}

export interface MailSender {
  /** What is missing to send mails, in words for the operator. */
  readonly fault: string | undefined;
  /** Hands one mail to the server; `id` is the same at each try. Never rejects. */
  send(request: {
    readonly to: string;
    readonly id: string;
    readonly mail: Mail;
  }): Promise<MailResult>;
  close(): void;
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

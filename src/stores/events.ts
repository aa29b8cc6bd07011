// Events, endpoints and attempts at them as they are read.

import { subjectSha256, tokenSha256 } from '../core/events/body.ts';
import {
  type EventType,
  isEventType,
  isMailType,
  isWished,
  typesOf,
  type Wish,
} from '../core/events/catalogue.ts';
import type {
  DigestCount,
  DisabledReason,
  Dropped,
  Endpoint,
  EndpointAttempt,
  RecordedEvent,
  StoredEndpoint,
  VendorEvent,
} from '../core/ports/events.ts';
import type {
  DIGEST_COUNTS,
  DROPPED_EVENTS,
  ENDED_DELIVERIES,
  ENDPOINT_ATTEMPTS,
  ENDPOINTS,
  EVENTS,
  WISHES,
} from './event-rows.ts';
import type { RowOf } from './rows.ts';
import { openDelivery, openEndpoint } from './sealing/content.ts';
import type { Sealer } from './sealing/seal.ts';

/** Undefined for an endpoint that cannot be decrypted: it then counts as missing. */
export function toEndpoint(
  row: RowOf<typeof ENDPOINTS>,
  sealer: Sealer,
): StoredEndpoint | undefined {
  const content = openEndpoint(sealer, row);
  if (content === undefined) return undefined;
  return {
    endpoint: {
      id: row.id,
      ...content,
      app: row.app ?? undefined,
      enabledEvents: row.enabled_events.split(','),
      description: row.description ?? undefined,
      status: row.status === 'enabled' ? 'enabled' : 'disabled',
      disabledReason: reasonOf(row.disabled_reason),
      digest: digestOf(row.digest),
      isConfigured: row.configured === 1,
      createdAtMs: row.created_at_ms,
    },
    progress: {
      cursor: row.cursor,
      failingSinceMs: row.failing_since_ms ?? undefined,
      refused: row.refused,
    },
  };
}

/** The fields that both databases keep alike. */
export function endpointValues(endpoint: Endpoint) {
  return {
    id: endpoint.id,
    app: endpoint.app ?? null,
    enabledEvents: endpoint.enabledEvents.join(','),
    description: endpoint.description ?? null,
    status: endpoint.status,
    disabledReason: endpoint.disabledReason ?? null,
    digest: endpoint.digest ?? null,
  };
}

/** Skips types of a later release, if an earlier release runs again after it. */
export function toEvent(row: RowOf<typeof EVENTS>): readonly RecordedEvent[] {
  if (!isEventType(row.type)) return [];
  return [
    {
      rowId: row.row_id,
      id: row.id,
      atMs: row.at_ms,
      type: row.type,
      app: row.app ?? undefined,
      provider: row.provider ?? undefined,
      deliveryId: row.delivery_id ?? undefined,
      deviceId: row.device_id ?? undefined,
      notificationType: row.notification_type ?? undefined,
      reason: row.reason ?? undefined,
      tokenSha256: row.token_sha256 ?? undefined,
      subjectSha256: row.subject_sha256 ?? undefined,
      endpointId: row.endpoint_id ?? undefined,
    },
  ];
}

export function toEndpointAttempt(row: RowOf<typeof ENDPOINT_ATTEMPTS>): EndpointAttempt {
  return {
    eventId: row.event_id,
    type: knownType(row.type),
    atMs: row.at_ms,
    latencyMs: row.latency_ms,
    outcome: outcomeOf(row.outcome),
    status: row.status ?? undefined,
    reason: row.reason ?? undefined,
  };
}

/** Types of a later release are skipped. */
export function toDigestCount(row: RowOf<typeof DIGEST_COUNTS>): readonly DigestCount[] {
  const { type, app, reason, count, from_ms: fromMs, to_ms: toMs } = row;
  if (!isEventType(type)) return [];
  return [{ type, app: app || undefined, reason: reason || undefined, count, fromMs, toMs }];
}

/** What an endpoint asked for, with its row. */
export interface StoredWish extends Wish {
  readonly rowId: number;
  /** For an e-mail endpoint, whose counts contain every event. */
  readonly hasDigest: boolean;
}

export function toWish(row: RowOf<typeof WISHES>): StoredWish {
  const { row_id: rowId, id, app, enabled_events, digest } = row;
  const types = typesOf(enabled_events.split(','));
  return { rowId, id, app: app ?? undefined, types, hasDigest: digest !== null };
}

/** An event that has no id yet. */
export interface NewEvent extends Omit<VendorEvent, 'id'> {
  readonly tokenHash?: string | undefined;
}

/** The end of a delivery whose content is not erased yet. */
export function toEndEvent(
  row: RowOf<typeof ENDED_DELIVERIES>,
  { type, reason, wallMs }: Ending,
  sealer: Sealer,
): NewEvent {
  const { id, app, provider, device_id, token_hash, sealed } = row;
  const content = sealed === null ? undefined : openDelivery(sealer, { id, sealed });
  return {
    atMs: wallMs,
    type,
    app,
    provider,
    deliveryId: id,
    deviceId: device_id ?? undefined,
    notificationType: row.type,
    reason: reason ?? undefined,
    tokenHash: token_hash,
    tokenSha256: content && tokenSha256(content.token),
    subjectSha256: content?.subject === undefined ? undefined : subjectSha256(content.subject),
  };
}

interface Ending {
  readonly type: EventType;
  readonly reason?: string | null | undefined;
  readonly wallMs: number;
}

/** Those events, among the ones about to be deleted, that an endpoint did not get. */
export function lackingOf(
  gone: readonly RowOf<typeof DROPPED_EVENTS>[],
  { wish, cursor }: { readonly wish: Wish; readonly cursor: number },
): Dropped | undefined {
  const lacking = gone.filter(
    (row) => row.row_id > cursor && isWished(wish, { ...row, endpointId: row.endpoint_id }),
  );
  const [first] = lacking;
  if (first === undefined) return undefined;
  const toMs = lacking.at(-1)?.at_ms ?? first.at_ms;
  return { count: lacking.length, fromMs: first.at_ms, toMs };
}

function knownType(type: string): EndpointAttempt['type'] {
  return isEventType(type) || isMailType(type) ? type : 'test.ping';
}

function digestOf(digest: string | null): Endpoint['digest'] {
  if (digest === null) return undefined;
  return digest === 'hourly' ? 'hourly' : 'daily';
}

function outcomeOf(outcome: string): EndpointAttempt['outcome'] {
  return outcome === 'delivered' || outcome === 'skipped' ? outcome : 'failed';
}

function reasonOf(reason: string | null): DisabledReason | undefined {
  return reason === 'by_operator' || reason === 'gone' || reason === 'failing' ? reason : undefined;
}

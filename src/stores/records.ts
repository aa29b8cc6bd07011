// Refusals, outages and gaps as they are read.

import type { Gap, Outage, Refusal } from '../core/ports/records.ts';
import type { GAPS, OUTAGES, REFUSALS, RowOf } from './rows.ts';
import { nameOf, PROVIDERS } from './values.ts';

export function toRefusal(row: RowOf<typeof REFUSALS>): Refusal {
  return {
    atMs: row.at_ms,
    lastAtMs: row.last_at_ms,
    count: row.count,
    requestId: row.request_id ?? undefined,
    door: row.door,
    source: row.source ?? undefined,
    app: row.app ?? undefined,
    code: row.code,
    status: row.status,
    limit: row.limit_name ?? undefined,
    tokenHash: row.token_hash ?? undefined,
    handleHash: row.handle_hash ?? undefined,
    subjectHash: row.subject_hash ?? undefined,
    deviceId: row.device_id ?? undefined,
    fields: row.fields ?? undefined,
    nodeId: row.node_id ?? undefined,
    addressHash: row.address_hash ?? undefined,
    deliveryId: row.delivery_id ?? undefined,
    isKnown: row.known === 1,
  };
}

export function toOutage(row: RowOf<typeof OUTAGES>): Outage {
  return {
    app: row.app,
    provider: nameOf(PROVIDERS, row.provider),
    reason: row.reason,
    beganAtMs: row.began_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
  };
}

export function toGap(row: RowOf<typeof GAPS>): Gap {
  return {
    kind: nameOf(GAP_KINDS, row.kind),
    beganAtMs: row.began_at_ms,
    endedAtMs: row.ended_at_ms ?? undefined,
    unlogged: row.unlogged,
  };
}

const GAP_KINDS = ['stopped', 'store'] as const satisfies readonly Gap['kind'][];

// Refusals, outages and gaps as they are in a file, read beside the store that writes it.

import Database from 'better-sqlite3';
import type { Gap, Outage, Refusal } from '../../../src/core/ports/records.ts';
import { GAPS, OUTAGES, REFUSALS, type RowOf } from '../../../src/stores/rows.ts';
import { prepareRows } from '../../../src/stores/sqlite/reading.ts';
import { optional } from '../../../src/stores/values.ts';
import type { RecordedRows } from '../../contract/records-contract.ts';

export function readRecordedRows(file: string): RecordedRows {
  const db = new Database(file, { readonly: true });
  try {
    return {
      refusals: prepareRows(db, REFUSALS, 'ORDER BY row_id')().map(toRefusal),
      outages: prepareRows(db, OUTAGES, 'ORDER BY row_id')().map(toOutage),
      gaps: prepareRows(db, GAPS, 'ORDER BY row_id')().map(toGap),
    };
  } finally {
    db.close();
  }
}

function toRefusal(row: RowOf<typeof REFUSALS>): Refusal {
  return {
    atMs: row.at_ms,
    lastAtMs: row.last_at_ms,
    count: row.count,
    ...optional('requestId', row.request_id),
    door: row.door,
    ...optional('source', row.source),
    ...optional('app', row.app),
    code: row.code,
    status: row.status,
    ...optional('limit', row.limit_name),
    ...optional('tokenHash', row.token_hash),
    ...optional('handleHash', row.handle_hash),
    ...optional('subjectHash', row.subject_hash),
    ...optional('deviceId', row.device_id),
    ...optional('fields', row.fields),
    ...optional('nodeId', row.node_id),
    ...optional('addressHash', row.address_hash),
    ...optional('deliveryId', row.delivery_id),
    isKnown: row.known === 1,
  };
}

function toOutage(row: RowOf<typeof OUTAGES>): Outage {
  return {
    app: row.app,
    provider: row.provider === 'fcm' ? 'fcm' : 'apns',
    reason: row.reason,
    beganAtMs: row.began_at_ms,
    ...optional('endedAtMs', row.ended_at_ms),
  };
}

function toGap(row: RowOf<typeof GAPS>): Gap {
  return {
    kind: row.kind === 'store' ? 'store' : 'stopped',
    beganAtMs: row.began_at_ms,
    ...optional('endedAtMs', row.ended_at_ms),
    unlogged: row.unlogged,
  };
}

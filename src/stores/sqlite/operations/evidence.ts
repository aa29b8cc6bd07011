// What surrounds a delivery in the log: refused calls, the device, its token's quarantine, outages of the providers,
// and the gaps of the log itself.

import {
  type Gap,
  OPERATOR_SOURCE,
  type Outage,
  type Refusal,
} from '../../../core/ports/records.ts';
import type { QuarantineEntry } from '../../../core/ports/store.ts';
import { toDevice } from '../../devices.ts';
import { toQuarantineEntry } from '../../domain.ts';
import { type FoundDevice, LONGEST_REQUEST_MS, MAX_COUNTED, MAX_PERIODS } from '../../gathering.ts';
import { toGap, toOutage, toRefusal } from '../../records.ts';
import {
  DEVICES,
  GAPS,
  HANDLES,
  LOGGED_DELIVERIES,
  OUTAGES,
  QUARANTINED,
  REFUSALS,
  type RowOf,
} from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import { prepareRows, type Reading } from '../reading.ts';

/** Reads the whole table, which is bounded, and only if an id was not found. */
const COUNTED_AT = `WHERE count > 1 AND at_ms <= @latestMs AND last_at_ms >= @atMs
  AND source IS NOT '${OPERATOR_SOURCE}'
  ORDER BY row_id DESC LIMIT ${MAX_COUNTED}`;

export function prepareEvidence(db: Reading, sealer: Sealer) {
  const findDevice = prepareRows(db, DEVICES, 'WHERE row_id = @rowId');
  const findHandle = prepareRows(db, HANDLES, 'WHERE handle_hash = @hash');
  const findRefusal = prepareRows(db, REFUSALS, 'WHERE row_id = @rowId');
  const findCounted = prepareRows(db, REFUSALS, COUNTED_AT);
  const findQuarantined = prepareRows(db, QUARANTINED, 'WHERE token_hash = @hash');
  const findOutages = prepareRows(db, OUTAGES, `ORDER BY began_at_ms DESC LIMIT ${MAX_PERIODS}`);
  const findGaps = prepareRows(db, GAPS, `ORDER BY began_at_ms DESC LIMIT ${MAX_PERIODS}`);
  const findFirstGap = prepareRows(db, GAPS, 'WHERE began_at_ms = 0 LIMIT 1');
  const findFirst = prepareRows(db, LOGGED_DELIVERIES, 'ORDER BY row_id LIMIT 1');

  return {
    devices: (rowIds: readonly number[]): readonly FoundDevice[] =>
      rowIds.flatMap((rowId) => findDevice({ rowId }).flatMap((row) => open(sealer, row))),
    deviceOfHandle: (hash: string): number | undefined => findHandle({ hash })[0]?.device_row_id,
    refusals: (rowIds: readonly number[]): readonly Refusal[] =>
      rowIds.flatMap((rowId) => findRefusal({ rowId }).map(toRefusal)),
    /** Rows that count more calls than their first, one of which may have come at this time. */
    countedAt: (atMs: number): readonly Refusal[] =>
      findCounted({ atMs, latestMs: atMs + LONGEST_REQUEST_MS }).map(toRefusal),
    quarantined: (tokenHashes: readonly string[]): readonly QuarantineEntry[] =>
      tokenHashes.flatMap((hash) => findQuarantined({ hash }).map(toQuarantineEntry)),
    outages: (): readonly Outage[] => findOutages().map(toOutage).toReversed(),
    gaps: (): readonly Gap[] => findGaps().map(toGap).toReversed(),
    /** The end of the first gap; if that was pruned, the first delivery. */
    madeAtMs: (): number | undefined =>
      findFirstGap()[0]?.ended_at_ms ?? findFirst()[0]?.received_at_ms,
  };
}

/** Without those that cannot be decrypted. */
function open(sealer: Sealer, row: RowOf<typeof DEVICES>): readonly FoundDevice[] {
  const device = toDevice(sealer, row);
  return device === undefined ? [] : [{ device, tokenHash: row.token_hash }];
}

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
import type { FoundDevice } from '../../gathering.ts';
import { LONGEST_REQUEST_MS, MAX_COUNTED, MAX_PERIODS } from '../../gathering.ts';
import { toGap, toOutage, toRefusal } from '../../records.ts';
import {
  DEVICES,
  GAPS,
  HANDLES,
  LOGGED_DELIVERIES,
  OUTAGES,
  QUARANTINED,
  REFUSALS,
} from '../../rows.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Run } from '../database.ts';
import { toQuarantined } from '../operations/quarantined.ts';
import { select } from '../statements.ts';
import { type Times, wall } from '../times.ts';

/** In the order of the given rows, without those that cannot be decrypted. */
export async function findDevicesByRows(
  run: Run,
  rowIds: readonly number[],
  sealer: Sealer,
): Promise<readonly FoundDevice[]> {
  if (rowIds.length === 0) return [];
  const rows = await select(run, DEVICES, 'WHERE row_id = ANY(@rowIds)', { rowIds });
  return rows
    .toSorted((one, other) => rowIds.indexOf(one.row_id) - rowIds.indexOf(other.row_id))
    .flatMap((row) => {
      const device = toDevice(sealer, row);
      return device === undefined ? [] : [{ device, tokenHash: row.token_hash }];
    });
}

/** The rows of the devices that these handles stand for. */
export async function findHandles(run: Run, hashes: readonly string[]): Promise<readonly number[]> {
  if (hashes.length === 0) return [];
  const rows = await select(run, HANDLES, 'WHERE handle_hash = ANY(@hashes)', { hashes });
  return rows.map(({ device_row_id }) => device_row_id);
}

/** Newest first. */
export async function findRefusalsByRows(
  run: Run,
  rowIds: readonly number[],
): Promise<readonly Refusal[]> {
  if (rowIds.length === 0) return [];
  const condition = 'WHERE row_id = ANY(@rowIds) ORDER BY row_id DESC';
  return (await select(run, REFUSALS, condition, { rowIds })).map(toRefusal);
}

/**
 * Rows that count more calls than their first, one of which may have come at one of these times. Reads the whole table,
 * which is bounded, and only if an id was not found.
 */
export async function countedAt(run: Run, times: readonly number[]): Promise<readonly Refusal[]> {
  const found: Refusal[] = [];
  for (const atMs of times) {
    const rows = await select(
      run,
      REFUSALS,
      `WHERE count > 1 AND at <= @latest AND last_at >= @at
         AND source IS DISTINCT FROM '${OPERATOR_SOURCE}'
       ORDER BY row_id DESC LIMIT ${MAX_COUNTED}`,
      { at: wall(atMs), latest: wall(atMs + LONGEST_REQUEST_MS) },
    );
    found.push(...rows.map(toRefusal));
  }
  return found;
}

export async function findQuarantined(
  run: Run,
  tokenHashes: readonly string[],
  times: Times,
): Promise<readonly QuarantineEntry[]> {
  if (tokenHashes.length === 0) return [];
  const condition = 'WHERE token_hash = ANY(@tokenHashes)';
  const rows = await select(run, QUARANTINED, condition, { tokenHashes });
  const byHash = new Map(rows.map((row) => [row.token_hash, row]));
  return tokenHashes.flatMap((hash) => {
    const row = byHash.get(hash);
    return row === undefined ? [] : [toQuarantined(row, times)];
  });
}

const LAST_PERIODS = `ORDER BY began_at DESC LIMIT ${MAX_PERIODS}`;

/** Oldest first. */
export async function findOutages(run: Run): Promise<readonly Outage[]> {
  return (await select(run, OUTAGES, LAST_PERIODS)).map(toOutage).toReversed();
}

/** Oldest first. */
export async function findGaps(run: Run): Promise<readonly Gap[]> {
  return (await select(run, GAPS, LAST_PERIODS)).map(toGap).toReversed();
}

/** The end of the first gap; if that was pruned, the first delivery. */
export async function findMadeAt(run: Run): Promise<number | undefined> {
  const [gap] = await select(run, GAPS, "WHERE began_at = 'epoch' LIMIT 1");
  if (gap?.ended_at_ms !== undefined && gap.ended_at_ms !== null) return gap.ended_at_ms;
  const [first] = await select(run, LOGGED_DELIVERIES, 'ORDER BY row_id LIMIT 1');
  return first?.received_at_ms;
}

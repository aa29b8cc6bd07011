// Everything that the log knows about a question, from one snapshot, in about fifteen statements.

import type { Evidence, KeyKind, LogKey, LogQuestion } from '../../../core/ports/log.ts';
import {
  deviceKeyOf,
  type FoundDevice,
  keysOfDelivery,
  keysOfDevice,
  MAX_GATHERED_DEVICES,
  MAX_GATHERED_ROWS,
  timesOf,
  tokenHashesOf,
  toLoggedDevice,
  uniqueDevices,
} from '../../gathering.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Run } from '../database.ts';
import { findByRows } from '../operations/search.ts';
import type { Times } from '../times.ts';
import {
  countedAt,
  findDevicesByRows,
  findGaps,
  findHandles,
  findMadeAt,
  findOutages,
  findQuarantined,
  findRefusalsByRows,
} from './evidence.ts';
import { lookUp, type Matches, OF_DELIVERIES, OF_DEVICES, OF_REFUSALS } from './key-lookup.ts';

/** For a transaction that has not read anything yet. */
export const AT_ONE_MOMENT = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY';

interface Reading {
  readonly sealer: Sealer;
  readonly times: Times;
}

export async function gather(
  run: Run,
  { keys, sinceMs = 0, ...question }: LogQuestion,
  { sealer, times }: Reading,
): Promise<Evidence> {
  await run(AT_ONE_MOMENT);
  const limit = Math.min(MAX_GATHERED_ROWS, Math.max(1, Math.floor(question.limit)));
  const options = { sinceMs, limit };
  const found = new Set<KeyKind>();
  const note = ({ kinds, rowIds }: Matches): ReadonlySet<number> => {
    for (const kind of kinds) found.add(kind);
    return rowIds;
  };
  const devices = await findDevices(run, keys, { sealer, note });
  // Rows about a device's phone belong to the device.
  const ofDevices = devices.flatMap(keysOfDevice);
  const rowsOf = async (table: typeof OF_DELIVERIES, others: readonly LogKey[]) => {
    const asked = note(await lookUp(run, table, { ...options, keys }));
    const { rowIds } = await lookUp(run, table, { ...options, keys: others });
    return newest(limit, asked, rowIds);
  };
  const deliveries = await findByRows(run, await rowsOf(OF_DELIVERIES, ofDevices));
  const addressees = await findDevices(run, deliveries.flatMap(deviceKeyOf), { sealer });
  const ofDeliveries = deliveries.flatMap(keysOfDelivery);
  const refusals = await rowsOf(OF_REFUSALS, [...ofDevices, ...ofDeliveries]);
  const tokenHashes = tokenHashesOf([...keys, ...ofDevices], deliveries);
  const quarantined = await findQuarantined(run, tokenHashes, times);
  if (quarantined.length > 0 && found.size === 0) found.add('token');
  const guessed = found.size === 0 ? await countedAt(run, timesOf(keys)) : [];
  if (guessed.length > 0) found.add('request');
  return {
    found: [...found],
    deliveries,
    refusals: guessed.length > 0 ? guessed : await findRefusalsByRows(run, refusals),
    isGuess: guessed.length > 0,
    devices: uniqueDevices([...devices, ...addressees]).map(toLoggedDevice),
    quarantined,
    outages: await findOutages(run),
    gaps: await findGaps(run),
    madeAtMs: await findMadeAt(run),
  };
}

function newest(limit: number, ...found: readonly ReadonlySet<number>[]): readonly number[] {
  const rowIds = new Set(found.flatMap((some) => [...some]));
  return [...rowIds].toSorted((one, other) => other - one).slice(0, limit);
}

/** By their keys or handles. */
async function findDevices(
  run: Run,
  keys: readonly LogKey[],
  { sealer, note }: { readonly sealer: Sealer; readonly note?: (found: Matches) => unknown },
): Promise<readonly FoundDevice[]> {
  const options = { keys, sinceMs: 0, limit: MAX_GATHERED_DEVICES };
  const found = await lookUp(run, OF_DEVICES, options);
  const hashes = keys.filter(({ kind }) => kind === 'handle').map(({ value }) => value);
  const ofHandles = await findHandles(run, hashes);
  note?.(found);
  if (ofHandles.length > 0) note?.({ kinds: new Set(['handle']), rowIds: new Set() });
  const rowIds = new Set([...found.rowIds, ...ofHandles]);
  return await findDevicesByRows(run, [...rowIds].slice(0, MAX_GATHERED_DEVICES), sealer);
}

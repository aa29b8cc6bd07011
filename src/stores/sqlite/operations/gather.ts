// Everything that the log knows about a question, using only indexes: it takes milliseconds in a log of a million rows.

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
import type { Reading } from '../reading.ts';
import { prepareEvidence } from './evidence.ts';
import { type LookupOptions, prepareKeyLookups } from './key-lookup.ts';
import { prepareFindByRow } from './search.ts';

export function prepareGather(db: Reading, sealer: Sealer): (question: LogQuestion) => Evidence {
  const lookups = prepareKeyLookups(db);
  const findDelivery = prepareFindByRow(db);
  const evidence = prepareEvidence(db, sealer);

  /** By their keys or handles. */
  function findDevices(
    keys: readonly LogKey[],
    note: (kind: KeyKind) => void,
  ): readonly FoundDevice[] {
    const rowIds = new Set(
      lookups.devices(keys, { sinceMs: 0, limit: MAX_GATHERED_DEVICES }, note),
    );
    for (const { kind, value } of keys) {
      const rowId = kind === 'handle' ? evidence.deviceOfHandle(value) : undefined;
      if (rowId === undefined) continue;
      note(kind);
      rowIds.add(rowId);
    }
    return evidence.devices([...rowIds].slice(0, MAX_GATHERED_DEVICES));
  }

  return function gather({ keys, sinceMs = 0, limit }): Evidence {
    const options = { sinceMs, limit: Math.min(MAX_GATHERED_ROWS, Math.max(1, Math.floor(limit))) };
    const found = new Set<KeyKind>();
    const note = (kind: KeyKind) => found.add(kind);
    const devices = findDevices(keys, note);
    // Rows about a device's phone belong to the device.
    const ofDevices = devices.flatMap(keysOfDevice);
    const deliveries = newest(options, [
      lookups.deliveries(keys, options, note),
      lookups.deliveries(ofDevices, options, ignore),
    ]).flatMap(findDelivery);
    const ofDeliveries = deliveries.flatMap(keysOfDelivery);
    const addressees = findDevices(deliveries.flatMap(deviceKeyOf), ignore);
    const refusals = newest(options, [
      lookups.refusals(keys, options, note),
      lookups.refusals([...ofDevices, ...ofDeliveries], options, ignore),
    ]);
    const quarantined = evidence.quarantined(tokenHashesOf([...keys, ...ofDevices], deliveries));
    if (quarantined.length > 0 && found.size === 0) note('token');
    const guessed =
      found.size === 0 ? timesOf(keys).flatMap((atMs) => evidence.countedAt(atMs)) : [];
    if (guessed.length > 0) note('request');
    return {
      found: [...found],
      deliveries,
      refusals: guessed.length > 0 ? guessed : evidence.refusals(refusals),
      isGuess: guessed.length > 0,
      devices: uniqueDevices([...devices, ...addressees]).map(toLoggedDevice),
      quarantined,
      outages: evidence.outages(),
      gaps: evidence.gaps(),
      madeAtMs: evidence.madeAtMs(),
    };
  };
}

function ignore(): void {}

function newest(
  { limit }: LookupOptions,
  found: readonly ReadonlySet<number>[],
): readonly number[] {
  const rowIds = new Set(found.flatMap((some) => [...some]));
  return [...rowIds].toSorted((one, other) => other - one).slice(0, limit);
}

// Everything that the log knows of what an operator asks for, by the indexes alone: a question takes milliseconds in a
// log of a million rows.

import type {
  Evidence,
  KeyKind,
  LoggedDevice,
  LogKey,
  LogQuestion,
} from '../../../core/ports/log.ts';
import type { Refusal } from '../../../core/ports/records.ts';
import type { LoggedDelivery } from '../../../core/ports/store.ts';
import type { Sealer } from '../../sealing/seal.ts';
import type { Reading } from '../reading.ts';
import { type FoundDevice, prepareEvidence } from './evidence.ts';
import { type LookupOptions, prepareKeyLookups } from './key-lookup.ts';
import { prepareFindByRow } from './search.ts';

const MAX_ROWS = 1_000;
/** A question names a device, or the few of a user; a short beginning of an id may name thousands. */
const MAX_DEVICES = 20;

export function prepareGather(db: Reading, sealer: Sealer): (question: LogQuestion) => Evidence {
  const lookups = prepareKeyLookups(db);
  const findDelivery = prepareFindByRow(db);
  const evidence = prepareEvidence(db, sealer);

  /** By their keys or handles. */
  function findDevices(
    keys: readonly LogKey[],
    note: (kind: KeyKind) => void,
  ): readonly FoundDevice[] {
    const rowIds = new Set(lookups.devices(keys, { sinceMs: 0, limit: MAX_DEVICES }, note));
    for (const { kind, value } of keys) {
      const rowId = kind === 'handle' ? evidence.deviceOfHandle(value) : undefined;
      if (rowId === undefined) continue;
      note(kind);
      rowIds.add(rowId);
    }
    return evidence.devices([...rowIds].slice(0, MAX_DEVICES));
  }

  /** A row of refusals has the id of its first call; an id of version 7 says when its call came. */
  function guess({ kind, value, isWhole }: LogKey): readonly Refusal[] {
    const isDated = kind === 'request' && isWhole && value.charAt(14) === '7';
    return isDated
      ? evidence.countedAt(Number.parseInt(value.slice(0, 13).replace('-', ''), 16))
      : [];
  }

  return function gather({ keys, sinceMs = 0, limit }): Evidence {
    const options = { sinceMs, limit: Math.min(MAX_ROWS, Math.max(1, Math.floor(limit))) };
    const found = new Set<KeyKind>();
    const note = (kind: KeyKind) => found.add(kind);
    const devices = findDevices(keys, note);
    // What concerns the phone of a device concerns the device.
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
    const guessed = found.size === 0 ? keys.flatMap(guess) : [];
    if (guessed.length > 0) note('request');
    return {
      found: [...found],
      deliveries,
      refusals: guessed.length > 0 ? guessed : evidence.refusals(refusals),
      isGuess: guessed.length > 0,
      devices: unique([...devices, ...addressees]).map(toLoggedDevice),
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

function keysOfDevice({ device, tokenHash }: FoundDevice): readonly LogKey[] {
  return [
    { kind: 'device', value: device.id, isWhole: true },
    { kind: 'token', value: tokenHash, isWhole: true },
  ];
}

function deviceKeyOf({ deviceId }: LoggedDelivery): readonly LogKey[] {
  return deviceId === undefined ? [] : [{ kind: 'device', value: deviceId, isWhole: true }];
}

function unique(devices: readonly FoundDevice[]): readonly FoundDevice[] {
  return [...new Map(devices.map((found) => [found.device.id, found])).values()];
}

/** Calls that repeated it. */
function keysOfDelivery({ id }: LoggedDelivery): readonly LogKey[] {
  return [{ kind: 'delivery', value: id, isWhole: true }];
}

function tokenHashesOf(
  keys: readonly LogKey[],
  deliveries: readonly LoggedDelivery[],
): readonly string[] {
  const ofKeys = keys.filter(({ kind, isWhole }) => kind === 'token' && isWhole);
  const hashes = [...ofKeys.map(({ value }) => value), ...deliveries.map((one) => one.tokenHash)];
  return [...new Set(hashes)];
}

function toLoggedDevice({ device }: FoundDevice): LoggedDevice {
  const { id, target, registrar, user, createdAtMs, seenAtMs, deadSinceMs } = device;
  const { app, platform } = target;
  return { id, app, platform, registrar, user, createdAtMs, seenAtMs, deadSinceMs };
}

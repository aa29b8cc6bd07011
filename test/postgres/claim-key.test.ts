// Keys of a database that several machines share: one of them gets a key, with its row; the others learn whose it is.

import { describe, expect, test } from 'vitest';
import type { KeyedDelivery } from '../../src/core/ports/store.ts';
import {
  accept,
  claimedIds,
  DAY_MS,
  LEASE_MS,
  NOW,
  quarantineEntry,
  sampleDelivery,
  sampleFingerprint,
  sampleId,
  settlement,
} from '../contract/store-samples.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SERVERS, useDatabases } from './databases.ts';

const KEY = { keyHash: sampleFingerprint('key'), expiresAtMs: NOW + 1_000 };

function keyed(number: number, changes: Partial<KeyedDelivery> = {}): KeyedDelivery {
  return { ...accept(sampleDelivery(number)), duplicateKey: KEY, ...changes };
}

describe.each(SERVERS)('PostgreSQL $major', (server) => {
  const { newDatabase, open } = useDatabases(server);

  async function twoMachines() {
    const url = await newDatabase();
    const clocks = [new ManualClock(NOW), new ManualClock(NOW)] as const;
    const [one, other] = [
      await open(url, { clock: clocks[0] }),
      await open(url, { clock: clocks[1] }),
    ];
    const claimBy =
      ({ store }: typeof one) =>
      (claimed: KeyedDelivery) =>
        store.claimKey?.(claimed);
    return {
      clocks,
      one: one.store,
      other: other.store,
      byOne: claimBy(one),
      byOther: claimBy(other),
    };
  }

  test('gives the key to one of many calls at two machines, with its row, and tells the others whose it is', async () => {
    const { byOne, byOther, one } = await twoMachines();
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    const claims = await Promise.all(
      numbers.map((number) => (number % 2 === 0 ? byOne : byOther)(keyed(number))),
    );
    const taken = claims.flatMap((claim, number) =>
      claim?.kind === 'taken' ? [sampleId(number)] : [],
    );
    expect(taken).toHaveLength(1);
    const held = claims.filter((claim) => claim?.kind === 'held');
    expect(held).toEqual(
      Array.from({ length: 19 }, () => ({ kind: 'held', deliveryId: taken[0] })),
    );
    expect((await one.findDeliveries({ limit: 30 })).map(({ id }) => id)).toEqual(taken);
  });

  test('leaves what was claimed for whoever takes it over, when its lease is over', async () => {
    const { byOne, other } = await twoMachines();
    expect(await byOne(keyed(1))).toEqual({ kind: 'taken', hold: undefined });
    expect(await claimedIds(other, { nowMs: NOW + LEASE_MS })).toEqual([sampleId(1)]);
  });

  test('gives a key again when its window is over and its delivery has ended, swept or not', async () => {
    const { byOther, byOne, one, clocks } = await twoMachines();
    await byOne(keyed(1));
    for (const clock of clocks) clock.advance(DAY_MS);
    expect(await byOther(keyed(2))).toEqual({ kind: 'held', deliveryId: sampleId(1) });
    await one.settle(settlement(sampleDelivery(1)));
    expect(await byOther(keyed(2))).toMatchObject({ kind: 'taken' });
  });

  test('gives a key again at once when its delivery ended undelivered', async () => {
    const { byOther, byOne, one } = await twoMachines();
    await byOne(keyed(1));
    await one.settle(settlement(sampleDelivery(1), { status: 'rejected' }));
    expect(await byOther(keyed(2))).toMatchObject({ kind: 'taken' });
  });

  test('reads the quarantine of the token as every machine left it, and writes nothing for a refused one', async () => {
    const { byOther, one } = await twoMachines();
    const { tokenHash } = sampleDelivery(1);
    const entry = quarantineEntry('token 1', { tokenHash, untilMs: NOW + DAY_MS });
    await one.quarantine(entry);
    expect(await byOther(keyed(1))).toMatchObject({
      kind: 'quarantined',
      entry: { kind: 'unregistered' },
    });
    expect(await one.findDeliveries({ limit: 1 })).toEqual([]);
    await one.releaseQuarantine(tokenHash);
    expect(await byOther(keyed(1))).toEqual({ kind: 'taken', hold: undefined });
  });

  test('tells of a hold, and refuses one that outlasts the useful life', async () => {
    const { byOther, one } = await twoMachines();
    const { tokenHash } = sampleDelivery(1);
    const hold = quarantineEntry('', { tokenHash, kind: 'throttled', untilMs: NOW + 20_000 });
    await one.quarantine(hold);
    expect(await byOther(keyed(1))).toMatchObject({ kind: 'taken', hold: { kind: 'throttled' } });
    await one.quarantine({ ...hold, untilMs: NOW + 55_000 });
    const another = { keyHash: sampleFingerprint('another'), expiresAtMs: NOW + 1_000 };
    const again = keyed(2, { delivery: sampleDelivery(2, { tokenHash }), duplicateKey: another });
    expect(await byOther(again)).toMatchObject({
      kind: 'quarantined',
      entry: { kind: 'throttled' },
    });
  });
});

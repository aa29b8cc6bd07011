// Who gets a duplicate key in a store that machines share: exactly one call, together with its row and what is known
// about its token.

import { expect, test } from 'vitest';
import type { KeyedDelivery } from '../../src/core/ports/store.ts';
import type { ContractMachine, SharedStoreSetup } from './shared-store-contract.ts';
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
} from './store-samples.ts';

const KEY = { keyHash: sampleFingerprint('key'), expiresAtMs: NOW + 1_000 };

function keyed(number: number, changes: Partial<KeyedDelivery> = {}): KeyedDelivery {
  return { ...accept(sampleDelivery(number)), duplicateKey: KEY, ...changes };
}

export function sharedKeysContract(open: () => Promise<SharedStoreSetup>): void {
  async function twoMachines() {
    const { machine } = await open();
    const [one, other] = [await machine(), await machine()];
    const claimBy =
      ({ store }: ContractMachine) =>
      (claimed: KeyedDelivery) =>
        store.claimKey?.(claimed);
    return {
      clocks: [one.clock, other.clock],
      one: one.store,
      other: other.store,
      byOne: claimBy(one),
      byOther: claimBy(other),
    };
  }

  test('gives the key to one of many calls at two machines, with its row, and tells the others who has it', async () => {
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

  test('lets another machine claim the delivery when its lease is over', async () => {
    const { byOne, other } = await twoMachines();
    expect(await byOne(keyed(1))).toEqual({ kind: 'taken', hold: undefined });
    expect(await claimedIds(other, { nowMs: NOW + LEASE_MS })).toEqual([sampleId(1)]);
  });

  test('gives a key away again when its window is over and its delivery has ended, swept or not', async () => {
    const { byOther, byOne, one, clocks } = await twoMachines();
    await byOne(keyed(1));
    for (const clock of clocks) clock.advance(DAY_MS);
    expect(await byOther(keyed(2))).toEqual({ kind: 'held', deliveryId: sampleId(1) });
    await one.settle(settlement(sampleDelivery(1)));
    expect(await byOther(keyed(2))).toMatchObject({ kind: 'taken' });
  });

  test('gives a key away again at once when its delivery ended undelivered', async () => {
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

  test('returns a hold, and refuses a call if the hold outlasts the useful life', async () => {
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

  test('keeps a refusal, and the longer of two holds, whichever machine writes the next hold', async () => {
    const { byOther, byOne, one, other } = await twoMachines();
    const { tokenHash } = sampleDelivery(1);
    const entry = quarantineEntry('', { tokenHash, untilMs: NOW + DAY_MS });
    const hold = { ...entry, kind: 'throttled', untilMs: NOW + 55_000 } as const;
    await one.quarantine(entry);
    await other.quarantine(hold);
    expect(await byOther(keyed(1))).toMatchObject({ entry: { kind: 'unregistered' } });
    await one.releaseQuarantine(tokenHash);
    await one.quarantine(hold);
    await other.quarantine({ ...hold, untilMs: NOW + 20_000 });
    expect(await byOne(keyed(1))).toMatchObject({ entry: { untilMs: NOW + 55_000 } });
    await other.quarantine(entry);
    expect(await byOne(keyed(1))).toMatchObject({ entry: { kind: 'unregistered' } });
  });

  test('returns the quarantine, and no key whose window is over, swept or not', async () => {
    const { byOther, byOne, one, clocks } = await twoMachines();
    await byOne(keyed(1));
    await one.settle(settlement(sampleDelivery(1)));
    for (const clock of clocks) clock.advance(DAY_MS);
    const { tokenHash } = sampleDelivery(2);
    await one.quarantine(quarantineEntry('', { tokenHash, untilMs: NOW + 2 * DAY_MS }));
    expect(await byOther(keyed(2))).toMatchObject({ kind: 'quarantined' });
  });
}

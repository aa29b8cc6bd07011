// What every memory of proofs must do: of the processes that share it only one may ask, and all get the answer.

import { expect, onTestFinished, test } from 'vitest';
import type { ProofMemory } from '../../src/core/ports/proofs.ts';

const GAP_MS = 600_000;
const START_MS = 1_754_049_600_000;
const DAY_MS = 86_400_000;
const REFUSED = { kind: 'misconfigured', reason: 'InvalidProviderToken' } as const;

/** `newPlace` is the address of an empty memory, which any number of processes can open. */
export function proofMemoryContract<Place>({
  newPlace,
  open,
}: {
  readonly newPlace: () => Place | Promise<Place>;
  readonly open: (place: Place) => ProofMemory;
}): void {
  function use(place: Place) {
    const memory = open(place);
    onTestFinished(() => memory.close());
    const claimAt = (ms: number, credentials = 'a key') =>
      memory.claim(credentials, { wallMs: START_MS + ms, gapMs: GAP_MS });
    return { ...memory, claimAt };
  }

  test('one of two processes may ask, and both get the answer for ten minutes', async () => {
    const place = await newPlace();
    const [one, other] = [use(place), use(place)];
    expect(await one.claimAt(0)).toBeUndefined();
    expect(await other.claimAt(1)).toEqual({ askedAtMs: START_MS });
    await one.record('a key', REFUSED);
    const answered = { askedAtMs: START_MS, outcome: REFUSED };
    expect(await other.claimAt(GAP_MS - 1)).toEqual(answered);
    expect(await other.claimAt(GAP_MS)).toBeUndefined();
    expect(await one.claimAt(GAP_MS)).toEqual({ askedAtMs: START_MS + GAP_MS });
  });

  test('one of two that claim at once may ask', async () => {
    const place = await newPlace();
    const claims = await Promise.all([use(place), use(place)].map((memory) => memory.claimAt(0)));
    expect(claims.filter((claim) => claim === undefined)).toHaveLength(1);
  });

  test.each([
    { kind: 'delivered', messageId: 'x' },
    { kind: 'unregistered', reason: 'Unregistered' },
    { kind: 'rejected', reason: 'BadDeviceToken', blame: 'token' },
    { kind: 'retry', reason: 'status_503', certainty: 'answered' },
  ] as const)('remembers $kind', async (outcome) => {
    const memory = use(await newPlace());
    await memory.claimAt(0);
    await memory.record('a key', outcome);
    const { kind } = outcome;
    const earlier = await memory.claimAt(1);
    expect(earlier?.outcome).toMatchObject(kind === 'delivered' ? { kind } : outcome);
  });

  test('other credentials are a separate question, and a released question may be asked at once', async () => {
    const memory = use(await newPlace());
    expect(await memory.claimAt(0)).toBeUndefined();
    expect(await memory.claimAt(0, 'another key')).toBeUndefined();
    await memory.release('a key');
    expect(await memory.claimAt(1)).toBeUndefined();
  });

  test('a clock that was set back does not forbid asking for longer than the gap', async () => {
    const memory = use(await newPlace());
    expect(await memory.claimAt(0)).toBeUndefined();
    expect(await memory.claimAt(-GAP_MS + 1)).toBeDefined();
    expect(await memory.claimAt(-GAP_MS)).toBeUndefined();
  });

  test('forgets credentials that nobody has proven for a day', async () => {
    const memory = use(await newPlace());
    await memory.claimAt(0, 'an old key');
    await memory.claimAt(DAY_MS + 1);
    expect(await memory.claimAt(0, 'an old key')).toBeUndefined();
  });
}

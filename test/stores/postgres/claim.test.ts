// A machine that others declared dead while its claim was on its way sends nothing of what it got.

import { expect, test } from 'vitest';
import type { Store } from '../../../src/core/ports/store.ts';
import { claimWhileFresh } from '../../../src/stores/postgres/operations/claim.ts';
import { claim } from '../../contract/store-samples.ts';

const CLAIMED: Awaited<ReturnType<Store['claimDue']>> = {
  deliveries: [],
  nextDueAtMs: undefined,
  nextUsefulUntilMs: undefined,
};

/** `meanwhile` becomes true while the claim is on its way. */
function setup(meanwhile: { readonly epoch?: number; readonly isFresh?: boolean } = {}) {
  const nodes = { epoch: 1, isFresh: true, freshen: async () => nodes.isFresh };
  const claims: number[] = [];
  const claimDue = claimWhileFresh(nodes, async () => {
    claims.push(nodes.epoch);
    Object.assign(nodes, meanwhile);
    return CLAIMED;
  });
  return { nodes, claims, claimDue };
}

test('what a living machine claimed belongs to it', async () => {
  const { claimDue } = setup();
  await expect(claimDue(claim({}))).resolves.toBe(CLAIMED);
});

test.each([
  ['got a new epoch', { epoch: 2 }],
  ['beat too late', { isFresh: false }],
])('a machine that %s meanwhile sends nothing of it', async (_name, meanwhile) => {
  const { claimDue, claims } = setup(meanwhile);
  await expect(claimDue(claim({}))).rejects.toMatchObject({ reason: 'unreachable' });
  expect(claims).toEqual([1]);
});

test('a machine that is not among the living ones claims nothing', async () => {
  const { nodes, claims, claimDue } = setup();
  nodes.isFresh = false;
  await expect(claimDue(claim({}))).rejects.toMatchObject({ reason: 'unreachable' });
  expect(claims).toEqual([]);
});

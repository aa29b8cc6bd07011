// One delivery in a virtual core whose provider answers as listed.

import type { Outcome } from '../../../src/core/outcome.ts';
import type { SendEnd } from '../../../src/core/sending/endings.ts';
import type { Row } from '../../support/memory-rows.ts';
import { createVirtualCore } from '../../support/virtual-core.ts';
import { acceptedOf, DELIVERED, deliveryOf } from './samples.ts';

export const SECOND = 1_000;
export const DEAD: Outcome = { kind: 'unregistered', reason: 'UNREGISTERED' };
export const MISCONFIGURED: Outcome = { kind: 'misconfigured', reason: 'PERMISSION_DENIED' };
export const REJECTED: Outcome = { kind: 'rejected', reason: 'INVALID_ARGUMENT', blame: 'message' };

export function outcomesOf(row: Row | undefined) {
  return [...(row?.attempts.values() ?? [])].map(({ number, outcome }) => [number, outcome.kind]);
}

/** One delivery whose attempts have the listed outcomes; the last one applies to all further attempts. */
export async function setup(outcomes: readonly [Outcome, ...Outcome[]], endsAfterMs = 20) {
  const virtual = await createVirtualCore();
  virtual.core.retrier.stop();
  virtual.weather = () => {
    const outcome = outcomes[virtual.pushes.length] ?? outcomes.at(-1) ?? DELIVERED;
    return { outcome, endsAfterMs, isTaken: outcome.kind === 'delivered' };
  };
  const [lane] = virtual.core.lanes.all;
  if (lane === undefined) throw new Error('no lane');
  const delivery = deliveryOf('a', virtual.clock.nowMs());
  const accepted = { ...acceptedOf(delivery, virtual.clock.nowMs()), owner: virtual.core.owner };
  await virtual.store.insert(accepted);
  /** Sends it once more, for a caller or for the retrier. */
  const send = (isPromised = false, given = {}) => {
    const ended: { end?: SendEnd } = {};
    void virtual.core.sender
      .send({ ...delivery, ...given }, lane, {
        stored: Promise.resolve(true),
        isPromised: () => isPromised,
      })
      .then((end) => {
        ended.end = end;
      });
    return ended;
  };
  const row = () => virtual.store.rows.get('a');
  return { virtual, lane, delivery, send, row };
}

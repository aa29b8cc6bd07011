// What /readyz says when nothing is sent any more.

import { expect, test } from 'vitest';
import { readReadiness } from '../../src/service/readiness.ts';
import {
  createVirtualCore,
  notificationOf,
  recipientOf,
  type VirtualCore,
} from '../support/virtual-core.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const FAILING = { kind: 'retry', reason: 'INTERNAL', certainty: 'answered' } as const;

function readinessOf({ core }: VirtualCore) {
  return readReadiness({ ...core, lanes: core.lanes.all, isDraining: () => false });
}

function isReady(virtual: VirtualCore): boolean {
  return readinessOf(virtual).ready;
}

test('an outage that left nothing to try is not reported for ever', async () => {
  const virtual = await createVirtualCore();
  const { core, clock } = virtual;
  virtual.weather = () => ({ outcome: FAILING, endsAfterMs: 20, isTaken: false });
  for (const token of ['a', 'b', 'c']) {
    void core.dispatcher.accept(notificationOf(), recipientOf(token));
  }
  await clock.run(2 * MINUTE);
  expect(isReady(virtual)).toBe(false);
  expect(Object.values(readinessOf(virtual).checks)).toContainEqual({
    ready: false,
    status: 'broken',
    // It answers: `does not answer` would send an operator to the network.
    detail: 'FCM is failing (INTERNAL)',
  });
  await clock.run(10 * MINUTE);
  expect(isReady(virtual)).toBe(true);
});

test('an outage is reported while deliveries wait for its end', async () => {
  const virtual = await createVirtualCore();
  const { core, clock } = virtual;
  virtual.weather = () => ({ outcome: FAILING, endsAfterMs: 20, isTaken: false });
  for (const token of ['a', 'b', 'c']) {
    const news = notificationOf({ lifetimeMs: 60 * MINUTE });
    void core.dispatcher.accept(news, recipientOf(token));
  }
  await clock.run(30 * MINUTE);
  expect(isReady(virtual)).toBe(false);
});

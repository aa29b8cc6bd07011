// The lane's breaker: what counts as a failure of the provider, and what does not.

import { expect, test } from 'vitest';
import type { Outcome, RetryCertainty } from '../../../src/core/outcome.ts';
import type { Provider } from '../../../src/core/ports/provider.ts';
import { Lane, type Ticket } from '../../../src/core/sending/lane.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const PROVIDER: Provider = {
  name: 'fcm',
  prepare: () => ({ excessBytes: 0, send: () => Promise.reject(new Error('not sent here')) }),
  warm: () => Promise.resolve({ ready: true }),
  health: () => ({ ready: true }),
  close: () => Promise.resolve(),
};

function setup() {
  const clock = new ManualClock();
  const lane = new Lane({
    app: 'default',
    provider: PROVIDER,
    clock,
    options: {
      maxInFlight: 4,
      maxUnprovenInFlight: 1,
      maxQueued: 8,
      maxQueueMs: 4_000,
      breaker: { failuresToOpen: 3, probeIntervalMs: 400 },
    },
  });
  const enter = async (): Promise<Ticket> => {
    const ticket = await lane.enter('proven', 'queue');
    if (ticket === undefined) throw new Error('no place');
    return ticket;
  };
  const fail = async (certainty: RetryCertainty) => lane.leave(await enter(), retry(certainty));
  return { lane, enter, fail };
}

function retry(certainty: RetryCertainty): Outcome {
  return { kind: 'retry', reason: 'for_the_test', certainty };
}

test('three failures of the provider in a row open the breaker', async () => {
  const { lane, fail } = setup();
  expect(await fail('uncertain')).toBeUndefined();
  expect(await fail('answered')).toBeUndefined();
  expect(await fail('not_processed')).toBe('opened');
  expect(lane.isOpen).toBe(true);
});

test('what fails together on one connection is one failure', async () => {
  const { lane, enter } = setup();
  const tickets = [await enter(), await enter(), await enter(), await enter()];
  for (const ticket of tickets) lane.leave(ticket, retry('uncertain'));
  expect(lane.isOpen).toBe(false);
});

test('requests that waited too long for their turn here say nothing of the provider', async () => {
  const { lane, fail } = setup();
  for (let count = 0; count < 10; count += 1) await fail('not_started');
  expect(lane.isOpen).toBe(false);
  await fail('uncertain');
  await fail('not_started');
  await fail('uncertain');
  expect(await fail('uncertain')).toBe('opened');
});

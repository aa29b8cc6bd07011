// Outages of the providers and gaps of the log, also while the store cannot take them.

import { expect, test } from 'vitest';
import type { EventNamed } from '../../../src/core/ports/observer.ts';
import { Incidents } from '../../../src/core/records/incidents.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { MemoryRecords } from '../../support/memory-records.ts';

const LANE = { app: 'default', provider: 'fcm' } as const;

function setup() {
  const clock = new ManualClock();
  const records = new MemoryRecords();
  let isMisconfigured = false;
  const incidents = new Incidents({ clock, records, isMisconfigured: () => isMisconfigured });
  const startMs = clock.wallMs();
  const attempt = (
    outcome: EventNamed<'attempt_ended'>['outcome'],
    reason?: string,
  ): EventNamed<'attempt_ended'> => ({
    name: 'attempt_ended',
    deliveryId: 'id',
    ...LANE,
    type: 'payment_received',
    number: 1,
    latencyMs: 1,
    outcome,
    ...(reason && { reason }),
  });
  return {
    clock,
    records,
    incidents,
    startMs,
    break: (reason: string) =>
      incidents.breakerChanged({ name: 'breaker_changed', ...LANE, state: 'open', reason }),
    heal: () => incidents.breakerChanged({ name: 'breaker_changed', ...LANE, state: 'closed' }),
    fail: (reason: string) => {
      isMisconfigured = true;
      incidents.attemptEnded(attempt('misconfigured', reason));
    },
    deliver: (healthy = true) => {
      isMisconfigured = !healthy;
      incidents.attemptEnded(attempt('delivered'));
    },
  };
}

test('an outage lasts from the opening of the breaker to its closing', async () => {
  const { clock, records, incidents, startMs, ...provider } = setup();
  provider.break('connection_refused');
  await incidents.written();
  const outage = { ...LANE, reason: 'connection_refused', beganAtMs: startMs };
  expect(records.outages).toEqual([outage]);
  clock.advance(14_000);
  provider.heal();
  provider.heal();
  await incidents.written();
  expect(records.outages).toEqual([{ ...outage, endedAtMs: startMs + 14_000 }]);
});

test('a refused configuration is an outage from the first refusal to the first acceptance', async () => {
  const { clock, records, incidents, startMs, ...provider } = setup();
  provider.deliver();
  provider.fail('InvalidProviderToken');
  clock.advance(1_000);
  provider.fail('InvalidProviderToken');
  provider.deliver(false);
  clock.advance(1_000);
  provider.deliver();
  provider.deliver();
  await incidents.written();
  expect(records.outages).toEqual([
    {
      ...LANE,
      isMisconfigured: true,
      reason: 'InvalidProviderToken',
      beganAtMs: startMs,
      endedAtMs: startMs + 2_000,
    },
  ]);
});

test('a breaker that opens while the configuration is refused is an outage of its own', async () => {
  const { clock, records, incidents, ...provider } = setup();
  provider.fail('InvalidProviderToken');
  clock.advance(5);
  provider.break('timeout');
  clock.advance(5);
  provider.heal();
  await incidents.written();
  expect(records.outages.map(({ reason, endedAtMs }) => [reason, endedAtMs !== undefined])).toEqual(
    [
      ['InvalidProviderToken', false],
      ['timeout', true],
    ],
  );
});

test('what a failing store could not take is written when it works again, with the gap', async () => {
  const { clock, records, incidents, startMs, ...provider } = setup();
  records.trouble = 'full';
  incidents.storeFailed();
  provider.break('timeout');
  clock.advance(1_000);
  incidents.storeFailed();
  provider.heal();
  await incidents.written();
  expect(records.outages).toEqual([]);
  expect(incidents.openGap()).toEqual({ kind: 'store', beganAtMs: startMs, unlogged: 0 });
  records.trouble = undefined;
  clock.advance(1_000);
  incidents.storeRecovered({ name: 'store_recovered', reason: 'full', unlogged: 3 });
  expect(incidents.openGap()).toBeUndefined();
  await incidents.written();
  expect(records.outages).toEqual([
    { ...LANE, reason: 'timeout', beganAtMs: startMs, endedAtMs: startMs + 1_000 },
  ]);
  expect(records.gaps).toEqual([
    { kind: 'store', beganAtMs: startMs, endedAtMs: startMs + 2_000, unlogged: 3 },
  ]);
});

test('keeps a limited number for a store that fails', async () => {
  const { records, incidents, ...provider } = setup();
  records.trouble = 'io';
  for (let number = 0; number < 1_000; number += 1) {
    provider.break('timeout');
    provider.heal();
  }
  await incidents.written();
  records.trouble = undefined;
  incidents.storeRecovered({ name: 'store_recovered', reason: 'io', unlogged: 0 });
  await incidents.written();
  expect(records.outages.length).toBeLessThanOrEqual(1_000);
});

test('begins with a process and ends with it', async () => {
  const { clock, records, incidents, startMs } = setup();
  incidents.begin();
  clock.advance(10);
  await incidents.close();
  expect(records.gaps).toEqual([
    { kind: 'stopped', beganAtMs: 0, endedAtMs: startMs, unlogged: 0 },
    { kind: 'stopped', beganAtMs: startMs + 10, unlogged: 0 },
  ]);
});

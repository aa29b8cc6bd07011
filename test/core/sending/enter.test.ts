// Deliveries that waited for a place in flight, at one of several machines: others may have taken them over meanwhile.

import { expect, test } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { SharedDatabase } from '../../support/shared-database.ts';
import { call, createVirtualCore } from '../../support/virtual-core.ts';
import { DEAD } from './one-delivery.ts';
import { DELIVERED, LOST } from './samples.ts';

/** Long enough for others to declare the machine dead. */
const STOOD_STILL_MS = 6_000;
const BUSY_MS = 100;

/** A process that stands still runs its timers late, and sees on its clock how long it stood still. */
class StoppableClock extends ManualClock {
  stoodMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.stoodMs;
  }
}

/** A call that waits behind another one for the only place for tokens that never worked. */
async function setup(first = DELIVERED) {
  const clock = new StoppableClock();
  const database = new SharedDatabase(() => clock.nowMs());
  const shared = { database, clock, number: 1 };
  const environment = { NDS_MAX_IN_FLIGHT: '4' };
  const virtual = await createVirtualCore({ shared, environment });
  virtual.weather = ({ token }) => {
    const outcome = token === 'a' ? first : DELIVERED;
    return { outcome, endsAfterMs: BUSY_MS, isTaken: outcome.kind === 'delivered' };
  };
  call(virtual, 'a');
  const told = call(virtual, 'b');
  await clock.run(10);
  const [lane] = virtual.core.lanes.all;
  expect(lane).toMatchObject({ inFlight: 1, queued: 1 });
  return { clock, database, virtual, lane, told };
}

test('a first push that waited for its place goes out although the store began to fail', async () => {
  const { clock, database, virtual, told } = await setup();
  database.trouble = 'unreachable';
  await clock.run(2 * BUSY_MS);
  expect(virtual.pushes).toHaveLength(2);
  expect(told.status).toBe('delivered');
});

test('a machine that stood still does not send what waited for its place', async () => {
  const { clock, database, virtual, lane, told } = await setup();
  clock.stoodMs = STOOD_STILL_MS;
  await database.table.free('machine 1');
  await clock.run(BUSY_MS);
  expect(virtual.pushes).toHaveLength(1);
  expect(lane).toMatchObject({ inFlight: 0, queued: 0 });
  expect(told.status).toBe('queued');
});

test('a delivery that another machine leased meanwhile is not sent after its wait for a place', async () => {
  const { clock, database, virtual, lane } = await setup(LOST);
  await database.table.free('machine 1');
  await database.claimDue({
    ...{ owner: 'machine 2', app: 'default', provider: 'fcm', limit: 2 },
    ...{ nowMs: clock.nowMs(), wallMs: clock.wallMs(), select: { kind: 'due' } },
    leaseUntilMs: clock.nowMs() + 30_000,
  });
  await clock.run(4 * BUSY_MS);
  expect(virtual.pushes.map(({ token }) => token)).toEqual(['a', 'b']);
  expect(lane).toMatchObject({ inFlight: 0, queued: 0 });
});

test('what waited for its place is not sent if its token died meanwhile', async () => {
  const virtual = await createVirtualCore({ environment: { NDS_MAX_IN_FLIGHT: '4' } });
  virtual.weather = () => ({ outcome: DEAD, endsAfterMs: BUSY_MS, isTaken: false });
  call(virtual, 'a');
  const told = call(virtual, 'a', { payload: '{"payment_hash":"another"}' });
  await virtual.clock.run(10);
  const [lane] = virtual.core.lanes.all;
  expect(lane).toMatchObject({ inFlight: 1, queued: 1 });
  await virtual.clock.run(3 * BUSY_MS);
  expect(told.code).toBe('token_unregistered');
  expect(virtual.pushes).toHaveLength(1);
  expect(lane).toMatchObject({ inFlight: 0, queued: 0 });
});

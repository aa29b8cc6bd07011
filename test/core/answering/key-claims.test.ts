// Duplicate keys in a store that two machines share: how a slow, hanging or late store affects the answers.

import { expect, test } from 'vitest';
import type { StoreOperation } from '../../support/intercept-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SharedDatabase } from '../../support/shared-database.ts';
import type { Link } from '../../support/shared-machine.ts';
import { call, createVirtualCore, type VirtualCore } from '../../support/virtual-core.ts';
import { DELIVERED, FAILED, REFUSED, settlementOf, TIMEOUT } from '../sending/samples.ts';

/** Longer than a push waits for its claim. */
const SLOW_MS = 400;
const HANGING_MS = 3_600_000;
const DEADLINE_MS = 5_000;
/** Less than the deadline by what two claims and one read of the store may take. */
const LAST_LOOK_MS = 4_000;
const STOPPED_MS = 3_100;

/** Two machines, how long the statements of each take, and which statements it has sent. */
async function setup() {
  const clock = new ManualClock();
  const database = new SharedDatabase(() => clock.nowMs());
  const machine = async (number: number) => {
    const takesMs = new Map<StoreOperation | 'nodes', number>();
    const asked: string[] = [];
    const link: Link = async (name, statement) => {
      asked.push(name);
      const ms = takesMs.get(name) ?? 0;
      if (ms > 0) await new Promise<void>((resolve) => clock.after(ms, resolve));
      return await statement();
    };
    const virtual = await createVirtualCore({ shared: { database, clock, number, link } });
    return { virtual, takesMs, asked };
  };
  return { clock, database, one: await machine(1), other: await machine(2) };
}

function answer(virtual: VirtualCore, outcome: typeof FAILED, endsAfterMs = 20): void {
  virtual.weather = () => ({ outcome, endsAfterMs, isTaken: outcome.kind === 'delivered' });
}

test('two equal calls at one machine push once, however slow the store is', async () => {
  const { clock, one } = await setup();
  one.takesMs.set('claimKey', SLOW_MS);
  const [first, repeat] = [call(one.virtual, 'a'), call(one.virtual, 'a')];
  await clock.run(2_000);
  expect(first).toMatchObject({ status: 'delivered' });
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id });
  expect(one.virtual.pushes).toHaveLength(1);
  expect(one.asked.filter((name) => name === 'claimKey')).toHaveLength(1);
});

test('a repeat that is refused in an old outage counts as a repeat, so its refusal is stored', async () => {
  const { clock, one } = await setup();
  answer(one.virtual, REFUSED, 2);
  const calls = [];
  for (let n = 0; n < 60; n += 1) {
    calls.push(call(one.virtual, `t${n}`));
    await clock.run(1_000);
  }
  expect(calls[45]).toMatchObject({ status: 'queued' });
  const repeat = call(one.virtual, 't45');
  await clock.run(1_000);
  const details = { deliveryId: calls[45]?.id, isRepeat: true, retryAfterSeconds: 1 };
  expect(repeat).toMatchObject({ code: 'provider_unavailable', details });
});

test('if the store takes the row of a repeat late, the row ends without a push', async () => {
  const { clock, database, one } = await setup();
  one.takesMs.set('claimKey', HANGING_MS);
  const first = call(one.virtual, 'a');
  await clock.run(DEADLINE_MS + 1);
  expect(first).toMatchObject({ status: 'delivered' });
  one.takesMs.set('claimKey', SLOW_MS);
  const repeat = call(one.virtual, 'a');
  await clock.run(1_000);
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id });
  expect(one.virtual.pushes).toHaveLength(1);
  expect([...database.rows.values()]).toMatchObject([{ status: 'expired', reason: 'duplicate' }]);
});

test('a repeat that starts again uses another id than that of the row it gave up', async () => {
  const { clock, database, one } = await setup();
  answer(one.virtual, FAILED);
  const first = call(one.virtual, 'a');
  await clock.run(100);
  expect(first).toMatchObject({ status: 'queued' });
  // Its claim arrives at the store long after it was given up, when the first one has ended.
  one.takesMs.set('claimKey', 3_000).set('renew', 4_000);
  const refused = { kind: 'rejected', reason: 'refused', blame: 'message' } as const;
  one.virtual.weather = () => ({ outcome: refused, endsAfterMs: 20, isTaken: false });
  const repeat = call(one.virtual, 'a');
  await clock.run(3_500);
  one.takesMs.clear();
  answer(one.virtual, DELIVERED);
  await clock.run(1_000);
  expect(repeat).toMatchObject({ status: 'delivered' });
  const ends = [...database.rows.values()].map(({ status, reason }) => reason ?? status);
  expect(ends).toEqual(['refused', 'duplicate', 'delivered']);
});

test('a repeat that starts again just before its deadline is answered in time, whatever the store does', async () => {
  const { clock, one, other } = await setup();
  answer(one.virtual, FAILED);
  call(one.virtual, 'a');
  await clock.run(100);
  // The first one ends while the repeat renews it.
  const refused = { kind: 'rejected', reason: 'refused', blame: 'message' } as const;
  one.virtual.weather = () => ({ outcome: refused, endsAfterMs: 20, isTaken: false });
  other.takesMs.set('renew', DEADLINE_MS - 100);
  const startsAtMs = 100;
  const repeat = call(other.virtual, 'a');
  await clock.run(DEADLINE_MS - 200);
  other.takesMs.set('claimKey', HANGING_MS);
  answer(other.virtual, DELIVERED, 1_000);
  await clock.run(1_000);
  expect(other.asked.filter((name) => name === 'claimKey')).toHaveLength(2);
  expect(repeat).toMatchObject({ code: 'store_unavailable', atMs: startsAtMs + DEADLINE_MS });
});

test('a repeat at another machine is answered in time although the row cannot be read', async () => {
  const { clock, one, other } = await setup();
  answer(one.virtual, DELIVERED, 60_000);
  call(one.virtual, 'a');
  await clock.run(0);
  other.takesMs.set('findDeliveries', HANGING_MS);
  const repeat = call(other.virtual, 'a');
  await clock.run(DEADLINE_MS + 1);
  expect(repeat).toMatchObject({ status: 'duplicate', atMs: LAST_LOOK_MS });
  expect(other.virtual.pushes).toHaveLength(0);
});

test.each([
  ['before a repeat looks last', LAST_LOOK_MS - 150, 1],
  ['after a repeat looked last', DEADLINE_MS - 150, 0],
] as const)(
  'a first call that fails %s makes its answer no later',
  async (_when, failsAtMs, pushes) => {
    const { clock, database, one, other } = await setup();
    answer(one.virtual, DELIVERED, 60_000);
    const first = call(one.virtual, 'a');
    await clock.run(0);
    const repeat = call(other.virtual, 'a');
    other.takesMs.set('claimKey', HANGING_MS);
    await clock.run(failsAtMs);
    await database.settle(
      settlementOf(
        database.rows.keys().next().value ?? '',
        { status: 'rejected' },
        { owner: 'machine 1' },
      ),
    );
    await clock.run(DEADLINE_MS);
    expect(first.atMs).toBe(DEADLINE_MS);
    expect(repeat.atMs).toBeLessThanOrEqual(DEADLINE_MS);
    expect(other.virtual.pushes).toHaveLength(pushes);
  },
);

test('a repeat is told in time that its first call keeps its key, even if no read confirms it', async () => {
  const { clock, database, one, other } = await setup();
  answer(one.virtual, DELIVERED, 60_000);
  const first = call(one.virtual, 'a');
  await clock.run(0);
  other.takesMs.set('findDeliveries', HANGING_MS);
  const repeat = call(other.virtual, 'a');
  await clock.run(LAST_LOOK_MS - 1);
  const id = database.rows.keys().next().value ?? '';
  await database.settle(settlementOf(id, { status: 'delivered' }, { owner: 'machine 1' }));
  await clock.run(DEADLINE_MS);
  expect(first.atMs).toBeLessThanOrEqual(DEADLINE_MS);
  expect(repeat).toMatchObject({ status: 'duplicate', id });
  expect(repeat.atMs).toBeLessThanOrEqual(DEADLINE_MS);
  expect(other.virtual.pushes).toEqual([]);
});

test('a delivery that memory calls open but another machine ended blocks no later call', async () => {
  const { clock, database, one } = await setup();
  answer(one.virtual, FAILED);
  const first = call(one.virtual, 'a');
  await clock.run(100);
  expect(first.status).toBe('queued');
  const id = first.id ?? '';
  await database.claimDue({
    ...{ owner: 'machine 2', app: 'default', provider: 'fcm', limit: 1 },
    ...{ nowMs: clock.nowMs() + 2_000, wallMs: clock.wallMs(), select: { kind: 'due' } },
    leaseUntilMs: clock.nowMs() + 30_000,
  });
  await database.settle(settlementOf(id, { status: 'rejected' }, { owner: 'machine 2' }));
  one.takesMs.set('claimKey', SLOW_MS);
  answer(one.virtual, DELIVERED);
  const later = call(one.virtual, 'a');
  await clock.run(2_000);
  expect(later).toMatchObject({ status: 'delivered' });
  expect(later.id).not.toBe(id);
});

test('a repeat is not told that a delivery is open if only the store can know that', async () => {
  const { clock, one } = await setup();
  answer(one.virtual, FAILED);
  const first = call(one.virtual, 'a');
  await clock.run(100);
  expect(first.status).toBe('queued');
  one.takesMs.set('claimKey', SLOW_MS);
  one.takesMs.set('renew', HANGING_MS);
  const repeat = call(one.virtual, 'a');
  await clock.run(DEADLINE_MS + 1);
  expect(repeat).toMatchObject({ code: 'store_unavailable', atMs: 100 + DEADLINE_MS });
});

test('memory still knows that a push arrived when the store says late that the delivery is closed', async () => {
  const { clock, database, one } = await setup();
  const first = call(one.virtual, 'a');
  await clock.run(100);
  one.takesMs.set('findDeliveries', HANGING_MS);
  one.takesMs.set('renew', SLOW_MS);
  const slow = call(one.virtual, 'a');
  await clock.run(DEADLINE_MS + SLOW_MS);
  expect(slow).toMatchObject({ status: 'duplicate', id: first.id });
  database.trouble = 'unreachable';
  const another = call(one.virtual, 'b');
  await clock.run(100);
  expect(another).toMatchObject({ status: 'delivered' });
  const repeat = call(one.virtual, 'a');
  await clock.run(DEADLINE_MS + 1);
  expect(one.virtual.pushes).toHaveLength(2);
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id });
});

test('memory knows what a late answer proves while the store writes it', async () => {
  const { clock, database, one } = await setup();
  const late = { outcome: DELIVERED, afterMs: 100 };
  one.virtual.weather = () => ({ outcome: TIMEOUT, endsAfterMs: 20, isTaken: true, late });
  for (const name of ['confirm', 'renew', 'settle'] as const) one.takesMs.set(name, SLOW_MS);
  const first = call(one.virtual, 'a');
  await clock.run(100);
  const repeat = call(one.virtual, 'a');
  await clock.run(3 * SLOW_MS);
  expect(repeat).toMatchObject({ status: 'duplicate', id: first.id });
  database.trouble = 'unreachable';
  call(one.virtual, 'b');
  await clock.run(1_000);
  const pushes = one.virtual.pushes.length;
  const again = call(one.virtual, 'a');
  await clock.run(DEADLINE_MS + 1);
  expect(again).toMatchObject({ status: 'duplicate', id: first.id });
  expect(one.virtual.pushes).toHaveLength(pushes);
});

test('a machine that stood still while it claimed a key pushes nothing for that call', async () => {
  const { clock, one } = await setup();
  one.takesMs.set('claimKey', HANGING_MS);
  const told = call(one.virtual, 'a');
  await clock.run(0);
  // Everything that was due meanwhile happens at the end of the stop.
  clock.advance(STOPPED_MS);
  await clock.run(0);
  expect(told).toMatchObject({ code: 'store_unavailable', atMs: STOPPED_MS });
  expect(one.virtual.pushes).toHaveLength(0);
});

test('a machine that was declared dead does not send again what it is still sending', async () => {
  const { clock, database, one } = await setup();
  answer(one.virtual, DELIVERED, 1_000);
  const told = call(one.virtual, 'a');
  await clock.run(100);
  await database.table.free('machine 1');
  one.virtual.core.retrier.start();
  await clock.run(2_000);
  expect(told).toMatchObject({ status: 'delivered' });
  expect(one.virtual.pushes).toHaveLength(1);
});

test('a dead token is refused although the store could not take its entry, and at every machine as soon as it can', async () => {
  const { clock, database, one, other } = await setup();
  answer(one.virtual, { kind: 'unregistered', reason: 'UNREGISTERED' });
  call(one.virtual, 'a');
  await clock.run(10);
  database.trouble = 'unreachable';
  await clock.run(20);
  database.trouble = undefined;
  const another = { payload: '{"payment_hash":"b"}' };
  const again = call(one.virtual, 'a', another);
  await clock.run(100);
  expect(again).toMatchObject({ code: 'token_unregistered' });
  await clock.run(2_000);
  const elsewhere = call(other.virtual, 'a', another);
  await clock.run(100);
  expect(elsewhere).toMatchObject({ code: 'token_unregistered' });
  expect([...one.virtual.pushes, ...other.virtual.pushes]).toHaveLength(1);
});

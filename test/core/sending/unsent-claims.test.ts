// Rows that a claim leased to this machine but that it may not send yet, or whose claim it never got an answer to: they
// must not wait for the end of their lease. The way to the database and back takes time here, so answers overtake each
// other.

import { expect, test } from 'vitest';
import { StoreUnavailableError } from '../../../src/core/ports/store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SharedDatabase } from '../../support/shared-database.ts';
import type { Link } from '../../support/shared-machine.ts';
import { CALM, call, createVirtualCore, type VirtualCore } from '../../support/virtual-core.ts';
import { FAILED } from './samples.ts';

const SECOND = 1_000;

/** What happens to the answer to an executed statement. */
type Answer = (
  name: Parameters<Link>[0],
  world: { readonly clock: ManualClock; readonly database: SharedDatabase },
) => Promise<void> | undefined;

/** One machine and one payment, whose first tries fail until `backAtMs`. */
async function setup({ answer, backAtMs }: { readonly answer: Answer; readonly backAtMs: number }) {
  const clock = new ManualClock();
  const database = new SharedDatabase(() => clock.nowMs());
  const link: Link = async (name, statement) => {
    const result = await statement();
    await answer(name, { clock, database });
    return result;
  };
  const virtual = await createVirtualCore({ shared: { database, clock, number: 1, link } });
  virtual.weather = (push) =>
    push.atMs < backAtMs ? { outcome: FAILED, endsAfterMs: 5, isTaken: false } : CALM(push);
  return virtual;
}

function wait(clock: ManualClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

/** Each try happened once, and the last one arrived. */
function expectDelivered(virtual: VirtualCore, tries: number): void {
  const [row] = virtual.store.rows.values();
  expect(row?.status).toBe('delivered');
  expect([...(row?.attempts.keys() ?? [])]).toEqual(virtual.pushes.map((_, n) => n + 1));
  expect(virtual.pushes).toHaveLength(tries);
  expect(virtual.events.filter(({ name }) => name === 'lease_lost')).toEqual([]);
}

test('sends a delivery that was claimed before the end of its last run was known, as soon as it is', async () => {
  let settlements = 0;
  const virtual = await setup({
    backAtMs: SECOND,
    answer: (name, { clock }) => {
      if (name !== 'settle') return undefined;
      settlements += 1;
      return settlements === 1 ? wait(clock, 4 * SECOND) : undefined;
    },
  });
  call(virtual, 'a');
  await virtual.clock.run(2 * SECOND);
  // The row is due; the answer to its settlement is still on the way.
  virtual.core.retrier.start();
  await virtual.clock.run(SECOND);
  expect([...virtual.store.rows.values()].map(({ owner }) => owner)).toEqual(['machine 1']);
  expect(virtual.pushes).toHaveLength(1);
  await virtual.clock.run(1_500);
  expectDelivered(virtual, 2);
});

test('does not send what it claimed while it sent it, once its run has planned it again', async () => {
  const virtual = await setup({ backAtMs: 60 * SECOND, answer: () => undefined });
  const { weather } = virtual;
  // The answer comes when the lease is over, and another claim has the row.
  virtual.weather = (push) => ({ ...weather(push), endsAfterMs: 32 * SECOND });
  call(virtual, 'a');
  await virtual.clock.run(31 * SECOND);
  virtual.core.retrier.start();
  await virtual.clock.run(500);
  virtual.weather = CALM;
  await virtual.clock.run(SECOND);
  const [row] = virtual.store.rows.values();
  expect(row?.owner).toBeUndefined();
  expect(virtual.pushes).toHaveLength(1);
  await virtual.clock.run(15 * SECOND);
  expectDelivered(virtual, 2);
});

test.each([[['lost']], [['lost', 'heard', 'lost']], [['lost', 'lost', 'heard', 'lost']]])(
  'sends what it claimed although answers to its claims are lost: %j',
  async (answers) => {
    const left = [...answers];
    const virtual = await setup({
      backAtMs: SECOND / 2,
      answer: (name, { database }) => {
        const [row] = database.rows.values();
        const isClaimed = name === 'claimDue' && row?.attempts.size === 1;
        const isDue = row?.owner !== undefined;
        if (!isClaimed || !isDue || left.shift() !== 'lost') return undefined;
        return Promise.reject(new StoreUnavailableError('unreachable'));
      },
    });
    call(virtual, 'a');
    await virtual.clock.run((3 + answers.length) * SECOND);
    expect(left).toEqual([]);
    expectDelivered(virtual, 2);
  },
);

test('sends what it claimed if it stood still before the answer, and was not declared dead', async () => {
  let stillUntilMs = 0;
  const virtual = await setup({
    backAtMs: SECOND / 2,
    answer: (name, { clock, database }) => {
      const [row] = database.rows.values();
      const isClaimed = name === 'claimDue' && row?.attempts.size === 1 && row.owner !== undefined;
      if (isClaimed && stillUntilMs === 0) stillUntilMs = clock.nowMs() + 4 * SECOND;
      const isHeld = (isClaimed || name === 'nodes') && clock.nowMs() < stillUntilMs;
      // The beats after the claim.
      return isHeld ? wait(clock, stillUntilMs - clock.nowMs() + (isClaimed ? 0 : 100)) : undefined;
    },
  });
  call(virtual, 'a');
  await virtual.clock.run(7 * SECOND);
  expect(stillUntilMs).toBeGreaterThan(0);
  expectDelivered(virtual, 2);
});

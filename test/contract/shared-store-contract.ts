// What every store must do that several machines share: one of them gets a key, with its row; deliveries of a dead
// machine are taken over, and a machine that was declared dead sends nothing more. Every machine has a clock of its
// own; a clock that stands still stands for a machine that was stopped.

import { expect, test } from 'vitest';
import type { Store } from '../../src/core/ports/store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { sharedKeysContract } from './shared-keys-contract.ts';
import {
  accept,
  claim,
  claimedIds,
  DAY_MS,
  LEASE_MS,
  NOW,
  sampleDelivery,
  sampleId,
  settlement,
  wait,
} from './store-samples.ts';

export interface ContractMachine {
  readonly store: Store;
  readonly owner: string;
  readonly clock: ManualClock;
  /** How many deliveries it took over, one entry for each time. */
  readonly taken: readonly number[];
  /** How often it heard that another machine stopped or died. */
  readonly gone: number;
  /** For this many seconds the machine beats and watches the others. */
  live(seconds: number): Promise<void>;
}

/** An empty database, and machines over it. */
export interface SharedStoreSetup {
  machine(clock?: ManualClock): Promise<ContractMachine>;
  /** The machines that the database knows. */
  names(): Promise<readonly string[]>;
  /** From now on no beat arrives, until the returned function is called. */
  breakBeats(): Promise<() => Promise<void>>;
}

const LEASE = { leaseUntilMs: NOW + 3_600_000 };

/** Runs in real time, as the database's clock does, however long a start takes. */
class RunningClock extends ManualClock {
  readonly #startedAtMs = performance.now();

  override nowMs(): number {
    return super.nowMs() + performance.now() - this.#startedAtMs;
  }

  override wallMs(): number {
    return super.wallMs() + performance.now() - this.#startedAtMs;
  }
}

export function sharedStoreContract(open: () => Promise<SharedStoreSetup>): void {
  sharedKeysContract(open);
  testsOfMachines(open);
}

function testsOfMachines(open: () => Promise<SharedStoreSetup>): void {
  test('takes over once what a stopped machine left, and refuses its late writes', async () => {
    const { machine, names } = await open();
    const dead = await machine();
    const alive = await machine();
    for (const number of [1, 2]) {
      const accepted = accept(sampleDelivery(number), { owner: dead.owner, ...LEASE });
      await dead.store.insert(accepted);
    }
    await alive.live(6);
    expect(await claimedIds(alive.store)).toEqual([]);
    await alive.live(2);
    while (alive.taken.length === 0) await alive.store.probe();
    expect(alive.taken).toEqual([2]);

    const { deliveries } = await alive.store.claimDue(
      claim({ owner: alive.owner, nowMs: alive.clock.nowMs(), leaseUntilMs: NOW + 60_000 }),
    );
    expect(deliveries.map(({ id, interrupted }) => [id, interrupted])).toEqual([
      [sampleId(1), true],
      [sampleId(2), true],
    ]);
    const late = settlement(sampleDelivery(1), { status: 'delivered' }, { owner: dead.owner });
    expect(await dead.store.settle(late)).toBe(false);
    const byHolder = settlement(sampleDelivery(1), undefined, { owner: alive.owner });
    expect(await alive.store.settle(byHolder)).toBe(true);
    while ((await names()).length > 1) await alive.store.probe();
    expect(await names()).toEqual([alive.owner]);
  });

  test('an end is refused if a repeat at another machine has moved it', async () => {
    const { machine } = await open();
    const [one, other] = [await machine(), await machine()];
    const delivery = sampleDelivery(1);
    const { id, expiresAtMs } = delivery;
    const expired = settlement(delivery, { status: 'expired' }, { owner: one.owner, expiresAtMs });
    await one.store.insert(accept(delivery, { owner: one.owner, ...LEASE }));
    const renewed = {
      deliveryId: id,
      expiresAtMs: expiresAtMs + 20_000,
      usefulUntilMs: expiresAtMs + 12_000,
      dueAtMs: NOW,
      wallMs: NOW,
    };
    expect(await other.store.renew(renewed)).toBe(true);
    expect(await one.store.settle(expired)).toBe(false);
    const [row] = await one.store.findDeliveries({ id, limit: 1 });
    expect(row).toMatchObject({ status: 'queued', attempts: [{ number: 1 }] });

    await other.live(1);
    const claimedIn = async (ms: number) => {
      const nowMs = other.clock.nowMs() + ms;
      const { deliveries } = await other.store.claimDue(claim({ owner: other.owner, nowMs }));
      return deliveries.map((found) => found.id);
    };
    // The provider may have left the attempts so far unanswered, so the next one waits.
    expect(await claimedIn(1_000)).toEqual([]);
    expect(await claimedIn(11_000)).toEqual([id]);
    const known = { owner: other.owner, expiresAtMs: renewed.expiresAtMs };
    expect(await other.store.settle({ ...expired, ...known })).toBe(true);
    expect((await one.store.findDeliveries({ id, limit: 1 }))[0]?.status).toBe('expired');
  });

  test('hears of a machine that died while it sent nothing, and of one that stopped', async () => {
    const { machine, names } = await open();
    const [alive, stopping] = [await machine(), await machine()];
    await machine();
    await alive.live(1);
    expect(alive.gone).toBe(0);
    await stopping.store.close();
    await alive.live(1);
    expect(alive.gone).toBe(1);
    await alive.live(4);
    expect(alive.gone).toBe(1);
    await alive.live(1);
    while ((await names()).length > 1) await alive.store.probe();
    expect(alive.gone).toBe(2);
    expect(alive.taken).toEqual([]);
  });

  test('a machine that was stopped claims nothing before its next beat, and then under a new epoch', async () => {
    const { machine, names } = await open();
    const stopped = await machine();
    const alive = await machine();
    await wait(alive.store, 1, NOW);
    await alive.live(8);
    while ((await names()).length > 1) await alive.store.probe();

    const wake = () => stopped.store.claimDue(claim({ owner: stopped.owner, nowMs: NOW + 8_000 }));
    // Its clock stood still, so it considers itself alive, but the database knows better.
    expect(stopped.store.mayRetry(NOW)).toBe(true);
    expect((await wake()).deliveries).toEqual([]);
    await stopped.live(1);
    // What it leased under its old epoch belongs to the others, although it is alive now.
    expect(stopped.store.mayRetry(NOW)).toBe(false);
    expect(stopped.store.mayRetry(stopped.clock.nowMs())).toBe(true);
    expect((await wake()).deliveries).toHaveLength(1);
  });

  test('a machine whose beats do not arrive starts no retry', async () => {
    const { machine, breakBeats } = await open();
    const { store, clock, owner } = await machine();
    await wait(store, 1, NOW);
    expect(store.mayRetry(NOW)).toBe(true);
    const repair = await breakBeats();
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1_000);
      await store.probe();
    }
    expect(store.mayRetry(NOW)).toBe(false);
    const request = claim({ owner, nowMs: clock.nowMs() });
    await expect(store.claimDue(request)).rejects.toMatchObject({ reason: 'unreachable' });
    await repair();
  });

  test('leaves the leases of the living alone when another machine starts', async () => {
    const { machine } = await open();
    const first = await machine();
    await first.store.insert(accept(sampleDelivery(1), { owner: first.owner, ...LEASE }));
    await first.store.insert(accept(sampleDelivery(2), { owner: 'gone', ...LEASE }));
    const second = await machine();
    expect(await second.store.recover({ nowMs: NOW })).toBe(2);
    expect(await claimedIds(second.store, { nowMs: NOW })).toEqual([sampleId(2)]);
    expect(
      await first.store.settle(settlement(sampleDelivery(1), undefined, { owner: first.owner })),
    ).toBe(true);
  });

  test('keeps the lifetime of a delivery that a machine with a wrong clock accepted, when another machine starts', async () => {
    const { machine } = await open();
    const first = await machine();
    const delivery = sampleDelivery(1, { receivedAtMs: NOW + DAY_MS });
    await first.store.insert(accept(delivery, { owner: 'gone', ...LEASE }));
    const second = await machine();
    await second.store.recover({ nowMs: NOW });
    const { deliveries } = await second.store.claimDue(claim({ owner: second.owner, nowMs: NOW }));
    expect(deliveries).toHaveLength(1);
    // The clocks of both machines stand still, while the database's clock runs.
    const apartMs = Math.abs((deliveries[0]?.expiresAtMs ?? 0) - delivery.expiresAtMs);
    expect(apartMs).toBeLessThan(10_000);
  });

  test('leaves no name behind when it stops, unless it leases something', async () => {
    const { machine, names } = await open();
    const one = await machine();
    const other = await machine();
    await one.store.insert(accept(sampleDelivery(1), { owner: one.owner, ...LEASE }));
    await Promise.all([one.store.close(), other.store.close()]);
    expect(await names()).toEqual([one.owner]);
  });

  test('machines whose clocks differ agree on when something is due', async () => {
    const { machine } = await open();
    const now = Date.now();
    const one = await machine(new RunningClock(now));
    const ahead = await machine(new RunningClock(now + 5_000_000));
    const delivery = sampleDelivery(1, { receivedAtMs: now, expiresAtMs: now + 60_000 });
    await one.store.insert(accept(delivery, { leaseUntilMs: now + LEASE_MS }));
    const ask = (nowMs: number) => ahead.store.claimDue(claim({ owner: ahead.owner, nowMs }));
    const early = await ask(now + 5_000_000 + LEASE_MS - 500);
    expect(early.deliveries).toEqual([]);
    const { deliveries } = await ask(now + 5_000_000 + LEASE_MS + 500);
    expect(deliveries).toHaveLength(1);
    expect(Math.abs((deliveries[0]?.expiresAtMs ?? 0) - (now + 5_060_000))).toBeLessThan(1_000);
  });
}

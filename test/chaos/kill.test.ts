// The real program under load and scripted faults: two instances at once, each killed with -9 at ten seeded moments and
// started again on the same file. No answer that a caller got may be lost or false, and the vendor's backend gets an
// event for every end that was recorded. NDS_CHAOS_SEED replays a run's decisions; the scheduling of the processes
// remains the machine's.

import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { type Chance, createChance, seedFrom } from '../support/chance.ts';
import { sandboxEnvironment, temporaryFolder } from '../support/service.ts';
import { judgeTold, readEvents, startBackend } from './backend.ts';
import { type CallerAnswer, createCaller } from './caller.ts';
import { faultsOf, readDeliveries, readOpenIds } from './database.ts';
import { beginLife, type Life } from './life.ts';
import { createPlan, type MadeCall, type PlannedCall } from './load.ts';
import { reconcile } from './reconcile.ts';

const PROGRAMS = 2;
/** Kills of each program. */
const KILLS = 10;
const CALLERS = 12;

/** Where the callers find the service; while it is dead they wait for its next life. */
interface Address {
  current(): Promise<string | undefined>;
  set(url: string): void;
  /** There is no address until the next `set`. */
  clear(): void;
  /** There is no next life, so the callers stop. */
  end(): void;
}

interface RepeatedCall {
  readonly first: MadeCall;
  readonly answer: CallerAnswer | undefined;
}

interface Load {
  readonly calls: readonly MadeCall[];
  readonly repeats: readonly RepeatedCall[];
  onAnswer(listener: () => void): void;
  readonly done: Promise<unknown>;
}

function createAddress(): Address {
  let url = Promise.withResolvers<string | undefined>();
  return {
    current: () => url.promise,
    set: (next) => url.resolve(next),
    clear: () => {
      url = Promise.withResolvers();
    },
    end: () => url.resolve(undefined),
  };
}

/** Every caller posts one call after the other until the address has ended. */
function startLoad(address: Address, plan: () => PlannedCall, chance: Chance): Load {
  const calls: MadeCall[] = [];
  const repeats: RepeatedCall[] = [];
  const repeatable: MadeCall[] = [];
  const listeners = new Set<() => void>();
  const caller = createCaller();
  onTestFinished(() => caller.close());
  const callOnce = async (url: string): Promise<void> => {
    const [latest] = repeatable.splice(-1);
    if (latest !== undefined && chance.happens(0.1)) {
      repeats.push({ first: latest, answer: await caller.post(url, latest) });
      return;
    }
    const planned = plan();
    const made: MadeCall = { ...planned, answer: await caller.post(url, planned) };
    calls.push(made);
    const isTaken = made.answer?.body.status === 'delivered';
    if (isTaken && made.type === 'swap_updated') repeatable.push(made);
    if (made.answer !== undefined) for (const listener of listeners) listener();
  };
  const work = async (): Promise<void> => {
    for (;;) {
      const url = await address.current();
      if (url === undefined) return;
      await callOnce(url);
    }
  };
  const done = Promise.all(Array.from({ length: CALLERS }, work));
  return { calls, repeats, onAnswer: (listener) => void listeners.add(listener), done };
}

/**
 * Prepares `kill -9` for the n-th answer, push, end in the log, or any line of the log; the last may come before it
 * listens.
 */
function armKill(
  life: Life,
  {
    sandbox,
    load,
    chance,
  }: { readonly sandbox: Sandbox; readonly load: Load; readonly chance: Chance },
): { readonly killed: Promise<void>; readonly moment: string } {
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  const event = chance.pick(['answer', 'push', 'push', 'end', 'line']);
  let left = chance.between(1, event === 'line' ? 12 : 90);
  const moment = `${event} ${left}`;
  const count = (): void => {
    left -= 1;
    if (left !== 0) return;
    life.kill();
    resolve();
  };
  if (event === 'answer') load.onAnswer(count);
  if (event === 'push') sandbox.onPush(count);
  if (event === 'line') life.onLine(count);
  if (event === 'end') {
    life.onLine(({ event }) => {
      if (event === 'delivery_settled') count();
    });
  }
  return { killed, moment };
}

async function setupChaos(seed: number) {
  const chance = createChance(seed);
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  const folder = temporaryFolder();
  const file = join(folder, 'nds.sqlite');
  const backend = await startBackend();
  const environment = {
    ...sandboxEnvironment(sandbox, folder),
    ...backend.environment,
    NDS_DATABASE: file,
    NDS_ATTEMPT_TIMEOUT: '1s',
  };
  const address = createAddress();
  const load = startLoad(address, createPlan(sandbox, chance), chance);
  return { chance, sandbox, environment, file, address, load, backend };
}

type Chaos = Awaited<ReturnType<typeof setupChaos>>;

/** The lives that end by `kill -9`, and how much the stand-ins had received by each end. */
async function killAgainAndAgain({
  chance,
  sandbox,
  environment,
  address,
  load,
}: Omit<Chaos, 'file' | 'backend'>) {
  const deaths: Record<'apns' | 'fcm', number>[] = [];
  const moments: string[] = [];
  for (let kills = 0; kills < KILLS; kills += 1) {
    const life = beginLife(environment);
    const { killed, moment } = armKill(life, { sandbox, load, chance });
    moments.push(moment);
    const url = await life.listening;
    if (url !== undefined) address.set(url);
    await killed;
    if (url !== undefined) address.clear();
    expect(await life.ended, life.stderr).toBeNull();
    const { apns, fcm } = sandbox.connections();
    deaths.push({ apns: apns.opened, fcm: fcm.opened });
  }
  return { deaths, moments };
}

/** Runs one program through all its lives, and checks everything that it promised. */
async function liveAndDie(seed: number): Promise<void> {
  const { chance, sandbox, environment, file, address, load, backend } = await setupChaos(seed);
  const { deaths, moments } = await killAgainAndAgain({
    chance,
    sandbox,
    environment,
    address,
    load,
  });
  address.end();
  await load.done;

  sandbox.clearFaults();
  const last = beginLife(environment);
  await last.listening;
  const open = readOpenIds(file);
  await last.settles(open);
  await backend.hears(readEvents(file).at(-1)?.id ?? '');
  expect(await last.stop(), last.stderr).toBe(0);

  const rows = readDeliveries(file);
  const pushes = sandbox.received();
  const verdict = reconcile({
    calls: load.calls,
    rows,
    pushes,
    requests: sandbox.requests(),
    deaths,
  });
  const tokens = load.calls.map(({ token }) => token);
  const told = judgeTold(backend.calls, { file, tokens });
  const count = (matches: (call: MadeCall) => boolean) => load.calls.filter(matches).length;
  console.log({
    seed,
    calls: load.calls.length,
    delivered: count(({ answer }) => answer?.body.status === 'delivered'),
    queued: count(({ answer }) => answer?.body.status === 'queued'),
    refused: count(({ answer }) => answer !== undefined && answer.status !== 200),
    unanswered: count(({ answer }) => answer === undefined),
    repeatsAnswered: load.repeats.filter(({ answer }) => answer !== undefined).length,
    rows: rows.length,
    openAtLastStart: open.length,
    pushes: pushes.length,
    secondPushes: verdict.repeats,
    lost: verdict.lost.length,
    false: verdict.false.length,
    doubled: verdict.doubled.length,
    events: told.events,
    eventsRepeated: told.repeats,
  });
  expect({ moments, ...verdict }).toMatchObject({ lost: [], false: [], doubled: [] });
  expect(told).toMatchObject({ untold: [], invented: [], isInOrder: true });
  expect(faultsOf(file)).toEqual([]);
  for (const { first, answer } of load.repeats) {
    if (answer === undefined) continue;
    const duplicate = { status: 200, body: { status: 'duplicate', id: first.answer?.body.id } };
    expect(answer, first.token).toMatchObject(duplicate);
  }
}

test('keeps every promise through twenty kills under load', { timeout: 170_000 }, async () => {
  const seed = seedFrom('NDS_CHAOS_SEED');
  console.log(`chaos seed ${seed}`);
  // They run together, because most of their time is waiting for retries.
  await Promise.all(Array.from({ length: PROGRAMS }, (_, number) => liveAndDie(seed + number)));
});

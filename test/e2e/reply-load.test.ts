// Five thousand phones are asked at once: a third answers, a third stays silent, a third of the callers hangs up. Every
// caller gets its own answer, and nothing is left in memory.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ReceivedPush } from '../../sandbox/records.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import { askPhone, type Caller, refusalOf, reply, send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Setup, setup } from '../support/service.ts';

const WARM_UP_CALLERS = 900;
const CALLERS = 5_000;
/** The service remembers 5,000 proven phones and their rates; the rest is the runtime's own memory. */
const MAX_GROWTH_BYTES = 8 * 1_024 * 1_024;
const DEADLINE_MS = 50_000;
/** For a busy machine; on an idle one it takes a few seconds. */
const PATIENCE_MS = 120_000;

const TITLE = '5,000 callers wait at once; each gets its own answer, and nothing is left behind';

test(TITLE, { timeout: PATIENCE_MS }, async () => {
  const clock = new ManualClock();
  const running = await setup({
    clock,
    // Connections for the waiting callers and the replying phones.
    environment: { NDS_MAX_CONNECTIONS: '10000' },
    sandbox: { keepPushes: 0, keepRequests: 0 },
  });
  // The first round makes what is made only once: connections, compiled code, caches.
  await runRound(running, clock, WARM_UP_CALLERS);
  const handles = await restingHandles(running);
  const bytes = heapBytes();

  await runRound(running, clock, CALLERS);
  expect(await restingHandles(running)).toEqual(handles);
  expect(heapBytes() - bytes).toBeLessThan(MAX_GROWTH_BYTES);
  expect(running.service.load()).toEqual({ replyCallers: 0, replyIds: 0, sends: 0 });
  expect(running.service.readiness().ready).toBe(true);
});

async function runRound(running: Setup, clock: ManualClock, callers: number): Promise<void> {
  const { service, log } = running;
  const pushes = collectPushes(running, callers);
  const waiting = Array.from({ length: callers }, (_, index) =>
    askPhone(running, { token: `phone-${index}:APA91bLoad${callers}`, request: String(index) }),
  );
  const byRequest = await pushes;
  await log.waitFor((event) => event.name === 'delivery_settled', callers);
  await service.settled();
  expect(service.load()).toEqual({ replyCallers: callers, replyIds: callers, sends: 0 });

  const [answered = [], silent = [], leaving = []] = thirds(waiting);
  await Promise.all([
    ...answered.map((asked) => expectReply(running, asked, byRequest)),
    ...leaving.map(({ caller }) => caller.hangUp()),
  ]);
  await log.waitFor(hasHungUp, leaving.length);
  const left = { replyCallers: silent.length, replyIds: silent.length };
  expect(service.load()).toMatchObject(left);
  expect(clock.timers).toBeGreaterThanOrEqual(silent.length);
  clock.advance(DEADLINE_MS);
  const refusals = await Promise.all(
    silent.map(async ({ caller }) => refusalOf(await caller.answer)),
  );
  expect(new Set(refusals)).toEqual(new Set(['504 no_reply']));
  log.events.length = 0;
  log.lines.length = 0;
}

interface Asked {
  readonly index: number;
  readonly caller: Caller;
}

function thirds(waiting: readonly Caller[]): readonly Asked[][] {
  const parts: Asked[][] = [[], [], []];
  for (const [index, caller] of waiting.entries()) parts[index % 3]?.push({ index, caller });
  return parts;
}

function hasHungUp(event: ServiceEvent): boolean {
  return event.name === 'reply_waited' && event.end === 'hung_up';
}

/** The phone and its caller each get the right answer. */
async function expectReply(
  running: Setup,
  { index, caller }: Asked,
  pushes: ReadonlyMap<number, ReceivedPush>,
): Promise<void> {
  const body = `{"invoice":"${index}"}`;
  const phone = await reply(running, pushes.get(index), body);
  const answer = await caller.answer;
  if (phone.status !== 200 || answer.status !== 200 || answer.text !== body) {
    throw new Error(`caller ${index} got ${answer.status} ${answer.text}`);
  }
}

const payload = z.looseObject({ invoice_request: z.string() });

/** Resolves when every phone has its push, by the number of its request. */
function collectPushes(
  { sandbox }: Setup,
  count: number,
): Promise<ReadonlyMap<number, ReceivedPush>> {
  const { promise, resolve } = Promise.withResolvers<ReadonlyMap<number, ReceivedPush>>();
  const pushes = new Map<number, ReceivedPush>();
  const stop = sandbox.onPush((push) => {
    const { invoice_request } = payload.parse(JSON.parse(push.data.notification_payload ?? ''));
    pushes.set(Number(invoice_request), push);
    if (pushes.size < count) return;
    stop();
    resolve(pushes);
  });
  return promise;
}

/** The handles that keep the process alive, once every closing connection has closed. */
async function restingHandles(running: Setup): Promise<Record<string, number>> {
  const ROUND_TRIPS = 50;
  const MAX_ROUNDS = 40;
  let last = handles();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    for (let trip = 0; trip < ROUND_TRIPS; trip += 1) {
      await send(running.service.url, { method: 'GET', path: '/healthz' });
    }
    const now = handles();
    if (JSON.stringify(now) === JSON.stringify(last)) return now;
    last = now;
  }
  return last;
}

/** Sockets, servers, timers and threads, counted by kind, without the requests that use them. */
function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo().toSorted()) {
    if (/(?:Shutdown|Connect|Write|Req)Wrap$/.test(kind)) continue;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') throw new Error('the runtime gives no garbage collector');
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

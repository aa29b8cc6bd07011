// `kill -9` in the middle of the demo's load: at whatever moment it comes, the file is sound, the next start opens it,
// and every accepted delivery ends.

import { cpSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { DEMO_CALLS, type DemoCall } from '../../sandbox/demo/calls.ts';
import { type ReceivedPush, type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { createChance, seedFrom } from '../support/chance.ts';
import { notifyPath, sandboxEnvironment, temporaryFolder } from '../support/service.ts';
import { type Caller, type CallerAnswer, createCaller } from './caller.ts';
import { faultsOf, readDeliveries, readOpenIds } from './database.ts';
import { beginLife } from './life.ts';

const ROUNDS = 3;
const PHONES = 12;
const INVOICE = '{"invoice":"lni1qqchaos"}';
const payload = z.looseObject({ reply_url: z.string() });

interface DemoAnswer {
  readonly call: DemoCall;
  readonly answer: CallerAnswer | undefined;
}

/** Calls with every type for every phone at once. */
function callAll(url: string, caller: Caller, round: number): Promise<readonly DemoAnswer[]> {
  const phones = Array.from({ length: PHONES }, (_, phone) =>
    phone % 2 === 0
      ? `demo-${round}-${phone}:APA91bDemoPhone`
      : Buffer.from(`demo-${round}-${phone}`).toString('hex').padEnd(64, '0'),
  );
  const calls = DEMO_CALLS.flatMap((call) =>
    phones.map(async (token) => {
      const path = notifyPath(token, { app_data: 'wallet-1' });
      return { call, answer: await caller.post(url, { path, body: call.body }) };
    }),
  );
  return Promise.all(calls);
}

/** A phone that wakes quickly and answers, as long as the service has an address. */
function answerInvoiceRequests(sandbox: Sandbox, url: () => string | undefined, caller: Caller) {
  sandbox.onPush((push: ReceivedPush) => {
    const to = url();
    if (push.data.notification_type !== 'invoice_request' || to === undefined) return;
    const replyUrl = payload.parse(JSON.parse(push.data.notification_payload ?? '')).reply_url;
    void caller.post(to, { path: new URL(replyUrl).pathname, body: INVOICE });
  });
}

/** The faults of the files that the kill left on the disk, before any program has opened them again. */
function faultsLeftBehind(folder: string): readonly string[] {
  const copy = join(temporaryFolder(), 'copy');
  // Without SQLite's shared memory and sockets.
  const filter = (path: string) => !path.endsWith('-shm') && !lstatSync(path).isSocket();
  cpSync(folder, copy, { recursive: true, filter });
  return faultsOf(join(copy, 'nds.sqlite'));
}

test('leaves a sound file when it is killed under the demo’s load', {
  timeout: 90_000,
}, async () => {
  const seed = seedFrom('NDS_CHAOS_SEED');
  console.log(`demo load seed ${seed}`);
  const chance = createChance(seed);
  const sandbox = await startSandbox();
  const caller = createCaller();
  onTestFinished(async () => {
    caller.close();
    await sandbox.close();
  });
  const folder = join(temporaryFolder(), 'data');
  const file = join(folder, 'nds.sqlite');
  const environment = {
    ...sandboxEnvironment(sandbox, temporaryFolder()),
    NDS_DATABASE: file,
  };
  let address: string | undefined;
  answerInvoiceRequests(sandbox, () => address, caller);
  const answers: DemoAnswer[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const life = beginLife(environment);
    address = await life.listening;
    expect(address, life.stderr).toBeDefined();
    // Besides the pushes that it makes up for from the round before.
    const pushes = chance.between(1, DEMO_CALLS.length * PHONES);
    const load = callAll(address ?? '', caller, round);
    await sandbox.waitFor(({ token }) => isOfRound(token, round), pushes);
    life.kill();
    await life.ended;
    address = undefined;
    answers.push(...(await load));
    expect(faultsLeftBehind(folder), `round ${round}, after ${pushes} pushes`).toEqual([]);
  }

  const last = beginLife(environment);
  await last.listening;
  await last.settles(readOpenIds(file));
  expect(await last.stop(), last.stderr).toBe(0);
  expect(faultsOf(file)).toEqual([]);
  const rows = new Map(readDeliveries(file).map((row) => [row.id, row]));
  expect([...rows.values()].filter(({ status }) => status !== 'delivered')).toEqual([]);
  const answered = answers.filter(({ answer }) => answer !== undefined);
  for (const { call, answer } of answered) {
    expect(answer?.status, call.type).toBe(200);
    const id = answer?.body.id;
    if (call.wantsReply !== true) expect(rows.get(id ?? '')?.type).toBe(call.type);
  }
  console.log({ seed, calls: answers.length, answered: answered.length, rows: rows.size });
});

function isOfRound(token: string, round: number): boolean {
  const text = /^[0-9a-f]{64}$/.test(token) ? Buffer.from(token, 'hex').toString() : token;
  return text.startsWith(`demo-${round}-`);
}

// A hundred thousand requests that nobody should send, and some that everybody does: always an answer that
// the documentation has, never a secret in the log or on the disk, flat memory, and a service that still
// delivers. NDS_FUZZ_SEED replays a run, NDS_FUZZ_REQUESTS shortens it.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { seedFrom } from '../chaos/chance.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';
import { filesWithMarker } from './marker.ts';
import { brokenRequests, requests } from './requests.ts';
import { type FloodResult, flood, liveHeapBytes } from './run.ts';
import { FUZZ_ENVIRONMENT, NO_LIMITS, prepareTargets } from './targets.ts';
import { takeLog } from './verdict.ts';

const TOTAL = Number(process.env.NDS_FUZZ_REQUESTS ?? 100_000);
const MAX_GROWTH_BYTES = 30 * 1_024 * 1_024;
const TIMEOUT = { timeout: 300_000 };
const payload = z.looseObject({ reply_url: z.string() });

async function setupFuzz(environment: Readonly<Record<string, string>>) {
  const running = await setup({
    environment: { ...FUZZ_ENVIRONMENT, ...environment },
    sandbox: { keepPushes: 0, keepRequests: 0 },
  });
  answerInvoiceRequests(running);
  const seed = seedFrom('NDS_FUZZ_SEED');
  console.log(`fuzz seed ${seed}`);
  return { running, seed, targets: await prepareTargets(running.service.url) };
}

/** A phone that is awake, so that nobody waits for it. */
function answerInvoiceRequests({ sandbox, service }: Setup): void {
  sandbox.onPush((push) => {
    if (push.data.notification_type !== 'invoice_request') return;
    const { reply_url } = payload.parse(JSON.parse(push.data.notification_payload ?? ''));
    const { pathname } = new URL(reply_url);
    void fetch(`${service.url}${pathname}`, { method: 'POST', body: '{}' }).then((answer) =>
      answer.arrayBuffer(),
    );
  });
}

function watchLog({ log }: Setup): () => string | undefined {
  return () => {
    const { secret, loud } = takeLog(log);
    if (secret !== undefined) return `a secret in the log: ${secret}`;
    return loud.length === 0 ? undefined : `an error in the log: ${JSON.stringify(loud[0])}`;
  };
}

async function expectSound(running: Setup, result: FloodResult): Promise<void> {
  console.log(result.sent, JSON.stringify(result.statuses));
  expect(result.faults).toEqual([]);
  await running.service.settled();
  expect(filesWithMarker(running.folder)).toEqual([]);
  const answer = await running.notify(`${ANDROID_TOKEN}-afterwards`, 'after-the-flood');
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('delivered')]);
  expect(running.service.load().sends).toBe(0);
}

test('answers whatever is asked as documented, in flat memory', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz(NO_LIMITS);
  const count = Math.floor(TOTAL * 0.84);
  const watch = watchLog(running);
  let early: number | undefined;
  const result = await flood({
    url: running.service.url,
    arbitrary: requests(targets),
    seed,
    count,
    afterBatch: (sent) => {
      const fault = watch();
      if (early === undefined && sent >= count / 10) early = liveHeapBytes();
      return fault;
    },
  });
  const growth = liveHeapBytes() - (early ?? 0);
  console.log(`the heap grew by ${(growth / 1_048_576).toFixed(1)} MiB`);
  await expectSound(running, result);
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
});

test('answers or hangs up on what is no HTTP', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz(NO_LIMITS);
  const result = await flood({
    url: running.service.url,
    arbitrary: brokenRequests(targets),
    seed,
    count: Math.floor(TOTAL * 0.05),
    isBroken: true,
    afterBatch: watchLog(running),
  });
  await expectSound(running, result);
});

test('keeps its word with every limit on', TIMEOUT, async () => {
  const { running, seed, targets } = await setupFuzz({
    NDS_TRUSTED_ADDRESS_HEADER: 'Fly-Client-IP',
    // Low, so that each of them is met.
    NDS_ADDRESS_RATE: '10/1',
    NDS_TOKEN_RATE: '2/1',
    NDS_REGISTRATION_RATE: '5/1',
  });
  const result = await flood({
    url: running.service.url,
    arbitrary: requests(targets),
    seed: seed + 1,
    count: Math.floor(TOTAL * 0.08),
    afterBatch: watchLog(running),
  });
  expect(result.statuses['429'] ?? 0).toBeGreaterThan(0);
  await expectSound(running, result);
});

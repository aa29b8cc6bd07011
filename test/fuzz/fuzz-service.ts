// The service in this process as the floods meet it, and what must be true afterwards.

import { expect } from 'vitest';
import { z } from 'zod';
import { seedFrom } from '../support/chance.ts';
import { ANDROID_TOKEN, type Setup, setup } from '../support/service.ts';
import { filesWithMarker } from './marker.ts';
import type { FloodResult } from './run.ts';
import { FUZZ_ENVIRONMENT, prepareTargets } from './targets.ts';
import { takeLog } from './verdict.ts';

/** The number of requests of all floods together. */
export const TOTAL = Number(process.env.NDS_FUZZ_REQUESTS ?? 20_000);
/** A flood takes as long as the machine needs. */
export const TIMEOUT = { timeout: 600_000 };
const payload = z.looseObject({ reply_url: z.string() });

export async function setupFuzz(environment: Readonly<Record<string, string>>) {
  const running = await setup({
    environment: { ...FUZZ_ENVIRONMENT, ...environment },
    sandbox: { keepPushes: 0, keepRequests: 0 },
  });
  answerInvoiceRequests(running);
  const seed = seedFrom('NDS_FUZZ_SEED');
  console.log(`fuzz seed ${seed}`);
  return { running, seed, targets: await prepareTargets(running.service.url) };
}

/** A phone that answers at once, so that no caller waits for it. */
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

export function watchLog({ log }: Setup): () => string | undefined {
  return () => {
    const { secret, loud } = takeLog(log);
    if (secret !== undefined) return `a secret in the log: ${secret}`;
    return loud.length === 0 ? undefined : `an error in the log: ${JSON.stringify(loud[0])}`;
  };
}

export async function expectSound(running: Setup, result: FloodResult): Promise<void> {
  console.log(result.sent, JSON.stringify(result.statuses));
  expect(result.faults).toEqual([]);
  await running.service.settled();
  expect(filesWithMarker(running.folder)).toEqual([]);
  const answer = await running.notify(`${ANDROID_TOKEN}-afterwards`, 'after-the-flood');
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('delivered')]);
  expect(running.service.load().sends).toBe(0);
}

// The second knock as the phone and the metrics see it: one more push with an address of its own, and its result.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { send } from '../support/callers.ts';
import { MINUTE, SECOND, setupDriven } from '../support/driven-service.ts';
import { METRICS_ENVIRONMENT, metric } from '../support/metrics.ts';
import { ANDROID_TOKEN, EXTERNAL_URL } from '../support/service.ts';

const addressSchema = z.object({ r: z.string().startsWith(EXTERNAL_URL) });

async function start() {
  const { running, elapse, pay } = await setupDriven({
    environment: {
      ...METRICS_ENVIRONMENT,
      NDS_APPS: JSON.stringify({ default: { receipts: true, second_knock: true } }),
    },
  });
  const isAsked = async (length: number) => {
    await pay(`phone-of-${length}:APA91b`, 'a'.repeat(length));
    return running.sandbox.received().at(-1)?.data.nds !== undefined;
  };
  return {
    elapse,
    /** The longest payment hash that leaves room for the address of the receipt. */
    async longestAsked(): Promise<number> {
      let [most, tooMany] = [1, 4_000];
      while (tooMany - most > 1) {
        const middle = Math.floor((most + tooMany) / 2);
        if (await isAsked(middle)) most = middle;
        else tooMany = middle;
      }
      return most;
    },
    /** The addresses for receipts of the pushes that the phone gets within ten seconds: a push, and perhaps a knock. */
    async push(hash: string): Promise<readonly string[]> {
      // A phone that was just active gets no knock.
      await elapse(MINUTE);
      const before = running.sandbox.received().length;
      await pay(ANDROID_TOKEN, hash);
      await elapse(10 * SECOND);
      const pushes = running.sandbox.received().slice(before);
      return pushes.map(({ data }) => addressSchema.parse(JSON.parse(data.nds ?? '')).r);
    },
    async answer(address: string | undefined, n: number): Promise<void> {
      const path = address?.slice(EXTERNAL_URL.length) ?? '';
      await send(running.service.url, { path, body: JSON.stringify({ stage: 'started', n }) });
      await running.service.settled();
    },
    /** How many second knocks were rescued, late and useless. */
    async knocks(): Promise<readonly number[]> {
      await running.service.settled();
      const labels = { app: 'default', platform: 'android' };
      const of = (result: string) =>
        metric(running, 'nds_second_knocks_total', { ...labels, result });
      return await Promise.all(['rescued', 'late', 'useless'].map(of));
    },
  };
}

test('the metrics count second knocks by their result, each once', async () => {
  const { elapse, push, answer, knocks } = await start();
  // No receipt is expected from a phone that never sent one.
  const [first, ...others] = await push('a0');
  expect(others).toEqual([]);
  await answer(first, 1);
  expect(await knocks()).toEqual([0, 0, 0]);

  const [, rescuing] = await push('a1');
  await answer(rescuing, 2);
  await answer(rescuing, 2);
  expect(await knocks()).toEqual([1, 0, 0]);

  const [slow, early] = await push('a2');
  await answer(slow, 1);
  await answer(early, 2);
  expect(await knocks()).toEqual([1, 1, 0]);

  expect(await push('a3')).toHaveLength(2);
  await elapse(MINUTE);
  expect(await knocks()).toEqual([1, 1, 1]);
  await elapse(2 * MINUTE);
  expect(await knocks()).toEqual([1, 1, 1]);
});

test('no knock without room for its address, by which the app would recognise it as a repeat', async () => {
  const { push, answer, longestAsked } = await start();
  const [first] = await push('a0');
  await answer(first, 1);
  const longest = await longestAsked();
  // A knock has `"n":2` beside the address, and so needs more room.
  expect(await push('b'.repeat(longest))).toHaveLength(1);
  expect(await push('b'.repeat(longest - 20))).toHaveLength(2);
});

// A stop that lets proxies notice it first; callers that wait for a device's reply then wait until their deadline.

import { expect, test } from 'vitest';
import { askPhone, refusalOf, reply } from '../support/callers.ts';
import { SECOND, setupDriven } from '../support/driven-service.ts';
import { turn } from '../support/intercept-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, IOS_TOKEN, setup } from '../support/service.ts';

test('takes calls during NDS_DRAIN while not ready, and each answer ends its connection', async () => {
  const clock = new ManualClock();
  const { service, notify } = await setup({ clock, environment: { NDS_DRAIN: '10s' } });
  expect((await notify(ANDROID_TOKEN, 'aa')).headers.get('connection')).toBe('keep-alive');
  const stopped = service.stop();

  clock.advance(9_999);
  expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
  const taken = await notify(ANDROID_TOKEN, 'bb');
  expect(taken.status).toBe(200);
  expect(taken.headers.get('connection')).toBe('close');
  clock.advance(1);
  await stopped;
  await expect(notify(ANDROID_TOKEN, 'cc')).rejects.toThrow('fetch failed');
});

test('stops at once by default, since no other machine could take its calls', async () => {
  const clock = new ManualClock();
  const { service, notify } = await setup({ clock });
  await service.stop();
  await expect(notify(ANDROID_TOKEN, 'aa')).rejects.toThrow('fetch failed');
});

test('a caller that waits for a device’s reply still gets it after the drain, when new calls are refused', async () => {
  const { running, pay, clock } = await setupDriven({ environment: { NDS_DRAIN: '10s' } });
  const before = askPhone(running, { token: IOS_TOKEN, request: 'before' });
  const [first] = await running.sandbox.waitFor(() => true, 1);
  const stopped = running.service.stop();
  clock.advance(SECOND);
  const meanwhile = askPhone(running, { token: ANDROID_TOKEN, request: 'meanwhile' });
  const [, second] = await running.sandbox.waitFor(() => true, 2);
  clock.advance(9 * SECOND);
  await turn();

  expect(await pay(ANDROID_TOKEN, 'aa')).toMatchObject({
    status: 503,
    body: { code: 'shutting_down' },
  });
  const late = askPhone(running, { token: ANDROID_TOKEN, request: 'late' });
  expect(refusalOf(await late.answer)).toBe('503 shutting_down');
  expect((await reply(running, first, 'lni1')).status).toBe(200);
  expect((await before.answer).text).toBe('lni1');
  expect((await reply(running, second, 'lni2')).status).toBe(200);
  expect((await meanwhile.answer).text).toBe('lni2');
  await stopped;
});

test('a device that never replies holds a stop until the deadline of its caller', async () => {
  const { running, clock } = await setupDriven({ environment: { NDS_DRAIN: '10s' } });
  const asked = askPhone(running, { token: IOS_TOKEN, request: 'silent' });
  await running.sandbox.waitFor(() => true, 1);
  const stopped = running.service.stop();
  clock.advance(10 * SECOND);
  await turn();
  expect(running.service.load().replyCallers).toBe(1);
  clock.advance(40 * SECOND);
  expect(refusalOf(await asked.answer)).toBe('504 no_reply');
  await stopped;
});

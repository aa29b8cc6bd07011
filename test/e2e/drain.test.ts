// A stop that lets proxies learn of it first.

import { expect, test } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, setup } from '../support/service.ts';

test('takes calls for NDS_DRAIN more, not ready, and each answer ends its connection', async () => {
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

test('stops at once by default, since one machine alone has nobody to take its calls', async () => {
  const clock = new ManualClock();
  const { service, notify } = await setup({ clock });
  await service.stop();
  await expect(notify(ANDROID_TOKEN, 'aa')).rejects.toThrow('fetch failed');
});

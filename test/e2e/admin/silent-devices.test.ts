// What the page says about a device whose phone sends receipts: when it last woke, and since when it is silent.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { send } from '../../support/callers.ts';
import { paymentBody, registerPhone } from '../../support/device-calls.ts';
import { HOUR, MINUTE, setupDriven } from '../../support/driven-service.ts';
import { callPage, PAGE_ENVIRONMENT, PAGE_KEYS, sessionWith } from '../../support/page-calls.ts';
import { pathOf } from '../../support/registry.ts';
import { ANDROID_TOKEN } from '../../support/service.ts';

const address = z.object({ r: z.url() });

test('a device is shown with its last wake, and since when it is silent until it wakes again', async () => {
  const { running, clock, elapse } = await setupDriven({
    environment: { ...PAGE_ENVIRONMENT, NDS_APPS: '{"default":{"receipts":true}}' },
  });
  const device = await registerPhone(running, { user: 'bob', token: ANDROID_TOKEN });
  let number = 0;
  const push = async () => {
    number += 1;
    await running.post(
      pathOf(device, 'notify'),
      paymentBody(number.toString(16).padStart(64, '0')),
    );
    await elapse(1_000, 1_000);
  };
  const wake = async () => {
    await push();
    const { r } = address.parse(JSON.parse(running.sandbox.received().at(-1)?.data.nds ?? ''));
    const body = '{"stage":"started","t":40}';
    expect((await send(running.service.url, { path: new URL(r).pathname, body })).status).toBe(204);
    // The answer comes before the receipt is processed.
    await running.service.settled();
    await elapse(1_000, 1_000);
    return new Date(clock.wallMs()).toISOString().slice(0, 10);
  };
  const shown = async () => {
    const cookie = await sessionWith(running, PAGE_KEYS.read);
    const body = { q: device.id };
    return (await callPage(running, { method: 'POST', path: '/view/devices', body, cookie })).text;
  };
  const since = /<b class="badge bad">silent<\/b> since<\/dt><dd><time datetime="([^"]+)"/;

  await push();
  const first = await shown();
  expect(first).not.toContain('last wake');
  expect(first).toContain('<dt>receipts</dt><dd>none for its last push</dd>');
  const day = await wake();
  expect(await shown()).toContain(`<dt>last wake</dt><dd><time datetime="${day}`);
  for (let pushes = 0; pushes < 5; pushes += 1) {
    expect(await shown()).not.toMatch(since);
    await push();
    await elapse(7 * HOUR, 10 * MINUTE);
  }
  const silent = await shown();
  expect(since.exec(silent)?.[1]).toMatch(/^2025-08-0[23]T/);
  expect(silent).toContain('<dt>receipts</dt><dd>for 1 of its last 7 pushes</dd>');
  await wake();
  const awake = await shown();
  expect(awake).not.toMatch(since);
  expect(awake).toContain('<dt>last wake</dt><dd><time datetime="2025-08-0');
});

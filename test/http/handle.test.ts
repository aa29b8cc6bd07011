// How long a call waits for the registry.

import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { NOTIFY_DOOR } from '../../src/core/devices/doors.ts';
import { ServiceError } from '../../src/core/errors.ts';
import type { Device } from '../../src/core/ports/devices.ts';
import type { HttpEnv } from '../../src/http/context.ts';
import { readingInTime, resolveHandle } from '../../src/http/handle.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HANDLE = 'AAAAAAAAAAAAAAAAAAAAAA';

function setup(find: () => Promise<Device | undefined>) {
  const clock = new ManualClock();
  const app = new Hono<HttpEnv>();
  const parts = {
    clock,
    ids: { fingerprint: (text: string) => text },
    devices: { findDeviceByHandle: find },
  };
  app.post('/n/:handle', async (c) => {
    await resolveHandle(parts, c, NOTIFY_DOOR);
    return c.body(null);
  });
  app.onError((error, c) => {
    return c.json({ code: error instanceof ServiceError ? error.code : String(error) });
  });
  const call = async () => {
    const response = await app.request(`/n/${HANDLE}`, { method: 'POST' });
    return await response.json();
  };
  return { clock, call };
}

test('a registry that does not answer keeps no caller waiting for more than two seconds', async () => {
  const { clock, call } = setup(() => new Promise(() => {}));
  const told = call();
  await clock.run(1_999);
  expect(clock.timers).toBe(1);
  await clock.run(1);
  expect(await told).toEqual({ code: 'store_unavailable' });
});

test('an answer leaves no timer behind', async () => {
  const { clock, call } = setup(() => Promise.resolve(undefined));
  expect(await call()).toEqual({ code: 'unknown_handle' });
  expect(clock.timers).toBe(0);
});

test('a fault after the two seconds leaves no unhandled rejection', async () => {
  const clock = new ManualClock();
  const { promise, reject } = Promise.withResolvers<never>();
  const read = readingInTime(clock, () => promise);
  clock.advance(2_000);
  await expect(read).rejects.toMatchObject({ code: 'store_unavailable' });
  reject(new Error('late'));
});

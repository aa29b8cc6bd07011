// How long a call waits for the registry.

import { Hono } from 'hono';
import { expect, onTestFinished, test, vi } from 'vitest';
import { NOTIFY_DOOR } from '../../src/core/devices/doors.ts';
import { Registry } from '../../src/core/devices/registry.ts';
import { ServiceError } from '../../src/core/errors.ts';
import type { Device } from '../../src/core/ports/devices.ts';
import type { HttpEnv } from '../../src/http/context.ts';
import { readingInTime, resolveHandle } from '../../src/http/handle.ts';
import { refusalOf, send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { setup as setupService } from '../support/service.ts';
import { sparkPaymentCall } from '../support/signed-calls.ts';

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

test('the call of a domain waits for the registry no longer either', async () => {
  const clock = new ManualClock();
  const secret = 'secret-of-the-domain';
  const NDS_SOURCES = JSON.stringify({ domains: { 'pay.example.com': { secrets: [secret] } } });
  const { service } = await setupService({
    clock,
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SOURCES },
  });
  const asked = Promise.withResolvers<void>();
  const silent = vi.spyOn(Registry.prototype, 'findByUser').mockImplementation(() => {
    asked.resolve();
    return new Promise(() => {});
  });
  onTestFinished(() => silent.mockRestore());
  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const answer = send(
    service.url,
    sparkPaymentCall({ path, secret, user: `02${'ab'.repeat(32)}` }),
  );
  await asked.promise;
  clock.advance(2_000);
  expect(refusalOf(await answer)).toBe('503 store_unavailable');
});

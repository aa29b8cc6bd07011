// What a start proves about its credentials, and what readiness says about them and about devices that they do not fit.

import { expect, test } from 'vitest';
import { APNS_KEY } from '../support/credentials.ts';
import { registerPhone, wake } from '../support/device-calls.ts';
import { iosToken } from '../support/driven-service.ts';
import { APP_KEY, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { type Setup, type SetupOptions, setup } from '../support/service.ts';

const BAD = { kind: 'reason', reason: 'BadDeviceToken' } as const;

async function start(options: SetupOptions = {}) {
  const running = await setup({ proves: true, ...options });
  const proofs = await Promise.all(running.service.proofs);
  return {
    running,
    codes: proofs.flatMap(({ findings }) => findings.map(({ code }) => code)),
    lane: (name: 'apns' | 'fcm') => running.service.readiness().checks[`default/${name}`],
  };
}

/** Registers devices and wakes each; returns the statuses. */
async function wakeNew(running: Setup, from: number, key?: string) {
  const statuses: number[] = [];
  for (let n = from; n < from + 3; n += 1) {
    const details = { platform: 'ios', token: iosToken(n) };
    const device = await registerPhone(running, details, key);
    statuses.push((await wake(running, device, `payment ${n}`)).status);
  }
  return statuses;
}

test('a start proves both credentials, on a connection that no push uses', async () => {
  const { running, codes, lane } = await start();
  expect(codes).toEqual(['apns_proven', 'fcm_proven']);
  expect([lane('apns'), lane('fcm')]).toEqual(Array(2).fill({ ready: true, status: 'ready' }));
  const connections = () => running.sandbox.connections().apns;
  // The proof had a connection of its own, which is closed; the one for pushes has sent nothing yet.
  expect(connections().opened).toBe(2);
  await expect.poll(() => connections().open).toBe(1);
  expect(connections().perConnection.map(({ requests }) => requests)).toEqual([0, 1]);
});

test('a refused key makes readiness red before the first push, and after a restart, too', async () => {
  const { running, codes, lane } = await start({ environment: { APNS_KEY } });
  expect(codes).toEqual(['apns_refused', 'fcm_proven']);
  const broken = {
    ready: false,
    status: 'broken',
    detail: expect.stringMatching(/^InvalidProviderToken: Check key, key id and team id/),
  };
  expect(lane('apns')).toEqual(broken);
  const asked = () => running.sandbox.requests().filter(({ provider }) => provider === 'apns');
  expect(asked()).toHaveLength(1);
  await running.restart();
  await Promise.all(running.service.proofs);
  expect(lane('apns')).toEqual(broken);
  expect(asked()).toHaveLength(1);
});

test('registered devices of the other environment make readiness red with their number, until a push arrives', async () => {
  const { running, lane } = await start({ environment: REGISTRY_ENVIRONMENT });
  running.sandbox.script({ provider: 'apns', times: 3, fault: BAD });
  expect(await wakeNew(running, 0)).toEqual([422, 422, 422]);
  expect(lane('apns')).toEqual({
    ready: false,
    status: 'broken',
    detail:
      '3 of 3 BadDeviceToken in 1 min, sandbox configured: builds from TestFlight and the App Store need production',
  });
  expect((await fetch(`${running.service.url}/readyz`)).status).toBe(503);
  expect(await wakeNew(running, 10)).toEqual([200, 200, 200]);
  expect(lane('apns')).toMatchObject({ ready: true, status: 'degraded' });
  expect(lane('apns')?.detail).toMatch(/^3 of 6 BadDeviceToken/);
  expect((await fetch(`${running.service.url}/readyz`)).status).toBe(200);
});

test('devices that any user of the app can register do not change readiness', async () => {
  const { running, lane } = await start({ environment: REGISTRY_ENVIRONMENT });
  running.sandbox.script({ provider: 'apns', times: 3, fault: BAD });
  expect(await wakeNew(running, 0, APP_KEY)).toEqual([422, 422, 422]);
  expect(lane('apns')).toEqual({ ready: true, status: 'ready' });
});

test('Google’s Date header reveals a wrong clock before the first push', async () => {
  const { running } = await start({ sandbox: { now: () => Date.now() + 60_000 } });
  expect(running.service.readiness().checks.clock).toMatchObject({
    ready: false,
    detail: expect.stringMatching(/behind Google's/),
  });
});

// An app with both of APNs' environments: the device or the URL says which one issued the token, and the answer of one
// environment about a token changes nothing at the other.

import { expect, onTestFinished, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../sandbox/sandbox.ts';
import { apnsOf, setupWithApps } from '../support/apps.ts';
import { type Answer, problemOf, refusalOf, send } from '../support/callers.ts';
import {
  callRegistry,
  changeDevice,
  deviceOf,
  paymentBody,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { register } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const APP = 'wallet';
const BAD_TOKEN = { kind: 'reason', reason: 'BadDeviceToken' } as const;

interface Both {
  readonly running: Setup;
  /** Apple's other environment; `running.sandbox` is production. */
  readonly development: Sandbox;
}

async function startBoth(): Promise<Both> {
  const development = await startSandbox();
  onTestFinished(() => development.close());
  const running = await setupWithApps((production) => appsOf(production, development));
  return { running, development };
}

function appsOf(production: Sandbox, development: Sandbox) {
  return {
    [APP]: {
      apns: apnsOf(production, {
        environment: ['production', 'sandbox'],
        sandbox_endpoint: development.apns.url,
      }),
      fcm: { credentials: production.fcm.serviceAccount, endpoint: production.fcm.url },
    },
    old: { apns: apnsOf(production, { environment: 'sandbox' }) },
  };
}

function push(
  running: Setup,
  hash: string,
  extra: Readonly<Record<string, string>>,
): Promise<Answer> {
  const path = notifyPath(IOS_TOKEN, { app: APP, ...extra });
  return send(running.service.url, { path, body: paymentBody(hash) });
}

function counts({ running, development }: Both): readonly [number, number] {
  return [running.sandbox.received().length, development.received().length];
}

test('the URL says which environment issued the token; default production', async () => {
  const both = await startBoth();
  const { running } = both;
  expect((await push(running, 'a1', {})).status).toBe(200);
  expect((await push(running, 'a2', { environment: 'production' })).status).toBe(200);
  expect(counts(both)).toEqual([2, 0]);
  expect((await push(running, 'a3', { environment: 'sandbox' })).status).toBe(200);
  expect(counts(both)).toEqual([2, 1]);
  await running.service.settled();
  const rows = await running.service.store.findDeliveries({ limit: 3 });
  expect(rows.map(({ provider }) => provider).toSorted()).toEqual(['apns', 'apns', 'apns_sandbox']);
  expect(Object.keys(running.service.readiness().checks)).toContain(`${APP}/apns_sandbox`);

  const wrong = await push(running, 'a4', { environment: 'Sandbox' });
  expect(refusalOf(wrong)).toBe('400 bad_query');
  // FCM has no environments.
  const path = notifyPath(ANDROID_TOKEN, { app: APP, environment: 'sandbox' });
  expect((await send(running.service.url, { path, body: paymentBody('a5') })).status).toBe(200);
});

test('a BadDeviceToken of one environment is not tried at the other, and is no quarantine there', async () => {
  const both = await startBoth();
  const { running, development } = both;
  development.script({ provider: 'apns', times: 9, fault: BAD_TOKEN });
  const refused = await push(running, 'a1', { environment: 'sandbox' });
  expect(refusalOf(refused)).toBe('422 token_rejected');
  expect(counts(both)).toEqual([0, 0]);
  expect(running.sandbox.requests().filter(({ provider }) => provider === 'apns')).toEqual([]);
  // A caller who knows a token must not be able to block it in production by a call to the sandbox.
  expect((await push(running, 'a2', {})).status).toBe(200);
  expect(refusalOf(await push(running, 'a3', { environment: 'sandbox' }))).toBe(
    '422 token_rejected',
  );
  expect(development.requests()).toHaveLength(1);
});

test('a registered device says its environment, and may change it', async () => {
  const both = await startBoth();
  const { running } = both;
  const details = { app: APP, platform: 'ios', token: IOS_TOKEN };
  const device = await register(running, { ...details, environment: 'sandbox' });
  expect(successOf(await wake(running, device, 'a1')).status).toBe('delivered');
  expect(counts(both)).toEqual([0, 1]);
  const read = deviceOf(await callRegistry(running, { path: `/${device.id}` }));
  expect(read.environment).toBe('sandbox');
  await changeDevice(running, device.id, { environment: 'production' });
  expect(successOf(await wake(running, device, 'a2')).status).toBe('delivered');
  expect(counts(both)).toEqual([1, 1]);
  const invalid = { ...details, environment: 'development' };
  expect(refusalOf(await callRegistry(running, { method: 'POST', body: invalid }))).toBe(
    '400 bad_body',
  );
});

test('a delivery queued for the sandbox goes to the sandbox after a restart', async () => {
  const both = await startBoth();
  const { running, development } = both;
  development.script({ provider: 'apns', times: 2, fault: { kind: 'refused_stream' } });
  const queued = await push(running, 'a1', { environment: 'sandbox' });
  expect(successOf(queued).status).toBe('queued');
  await running.restart({ NDS_APPS: JSON.stringify(appsOf(running.sandbox, development)) });
  await development.waitFor(() => true, 1);
  expect(counts(both)).toEqual([0, 1]);
});

test('a refusal names APNS_ENVIRONMENT to an app of the plain variables', async () => {
  const running = await setup();
  const path = notifyPath(IOS_TOKEN, { environment: 'production' });
  const refused = await send(running.service.url, { path, body: paymentBody('a1') });
  expect(refusalOf(refused)).toBe('502 provider_not_configured');
  expect(problemOf(refused).detail).toContain('set APNS_ENVIRONMENT, or for both environments');
});

test('an app with one environment refuses tokens that are said to be of the other', async () => {
  const { running } = await startBoth();
  const old = { app: 'old', environment: 'production' };
  const refused = await push(running, 'a1', old);
  expect(refusalOf(refused)).toBe('502 provider_not_configured');
  expect(problemOf(refused).detail).toMatch(/production environment.*: set `environment` of apns/);
  const good: readonly Readonly<Record<string, string>>[] = [
    { app: 'old' },
    { app: 'old', environment: 'sandbox' },
  ];
  for (const extra of good) {
    expect((await push(running, JSON.stringify(extra), extra)).status).toBe(200);
  }
  const device = { app: 'old', platform: 'ios', token: IOS_TOKEN, environment: 'production' };
  const unreachable = await callRegistry(running, { method: 'POST', body: device });
  expect(refusalOf(unreachable)).toBe('502 provider_not_configured');
  const { id } = await register(running, { ...device, environment: 'sandbox' });
  const body = { environment: 'production' };
  const moved = await callRegistry(running, { method: 'PATCH', path: `/${id}`, body });
  expect(refusalOf(moved)).toBe('502 provider_not_configured');
});

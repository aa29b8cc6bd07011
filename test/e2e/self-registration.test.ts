// A wallet registers itself by a signed message, without any backend: the key that signed is its user.

import { expect, test } from 'vitest';
import { problemOf, refusalOf } from '../support/callers.ts';
import {
  callRegistry,
  type DescribedDevice,
  deviceOf,
  listDevices,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import { createWallet, malleate, selfRegistration } from '../support/lightning-wallet.ts';
import { handleOf } from '../support/registry.ts';
import {
  DOMAIN,
  MINUTE,
  NAMED,
  NOW,
  PHONE,
  post,
  start,
  wallet,
} from '../support/self-registration.ts';
import { ANDROID_TOKEN, IOS_TOKEN } from '../support/service.ts';
import { sparkPaymentCall } from '../support/signed-calls.ts';

test('a signed registration makes a device of the wallet that signed', async () => {
  const running = await start();
  const body = { ...PHONE, app_data: 'wallet-1', locale: 'pt-BR', secrets: { spark_ssp: ['s'] } };
  const answer = await post(running, selfRegistration(wallet, { body, unixSeconds: NOW }));
  const device = deviceOf(answer);
  expect(device).toMatchObject({
    user: wallet.publicKey,
    registered_by: 'self',
    app_data: 'wallet-1',
    locale: 'pt-BR',
    secrets: { spark_ssp: 1 },
  });
  expect(await readDevice(running, device.id)).toEqual(device);
  expect(await listDevices(running, wallet.publicKey)).toEqual([device]);
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
});

test('a wallet may name its own key, in either case, but no other', async () => {
  const running = await start();
  const upper = { ...PHONE, user: wallet.publicKey.toUpperCase() };
  const named = await post(running, selfRegistration(wallet, { body: upper, unixSeconds: NOW }));
  expect(deviceOf(named).user).toBe(wallet.publicKey);
  const other = { ...PHONE, user: createWallet(2).publicKey };
  const answer = await post(running, selfRegistration(wallet, { body: other, unixSeconds: NOW }));
  expect(refusalOf(answer)).toBe('401 bad_signature');
  expect(await listDevices(running, other.user)).toEqual([]);
});

test('every registration makes new handles, and changes no existing ones', async () => {
  const running = await start();
  const ofBackend = await registerPhone(running, { user: wallet.publicKey });
  const devices: DescribedDevice[] = [];
  for (const unixSeconds of [NOW, NOW + 1]) {
    const call = selfRegistration(wallet, { body: NAMED, unixSeconds });
    devices.push(deviceOf(await post(running, call)));
  }
  const all = [ofBackend, ...devices];
  expect(new Set(all.map(({ id }) => id)).size).toBe(3);
  const handles = all.flatMap((device) =>
    Object.keys(device.urls).map((door) => handleOf(device, door)),
  );
  expect(new Set(handles).size).toBe(handles.length);
  expect((await readDevice(running, ofBackend.id)).urls).toEqual(ofBackend.urls);
});

test('a phone that registered twice is woken once by a call for its user', async () => {
  const running = await start({
    NDS_SOURCES: JSON.stringify({ domains: { 'pay.example.com': { secrets: [DOMAIN.secret] } } }),
  });
  for (const unixSeconds of [NOW, NOW + 1, NOW + 2]) {
    await post(running, selfRegistration(wallet, { body: NAMED, unixSeconds }));
  }
  const other = { ...NAMED, platform: 'ios', token: IOS_TOKEN };
  await post(running, selfRegistration(wallet, { body: other, unixSeconds: NOW }));
  const call = sparkPaymentCall({ ...DOMAIN, user: wallet.publicKey });
  expect(successOf(await post(running, call)).status).toBe('delivered');
  // A fourth registration does not make the same payment a new one.
  await post(running, selfRegistration(wallet, { body: NAMED, unixSeconds: NOW + 3 }));
  expect(successOf(await post(running, call)).status).toBe('duplicate');
  expect(
    running.sandbox
      .received()
      .map(({ token }) => token)
      .toSorted(),
  ).toEqual([IOS_TOKEN, ANDROID_TOKEN].toSorted());
});

test('a signature is valid from ten minutes before its time to ten minutes after it', async () => {
  const running = await start();
  const at = (unixSeconds: number) =>
    post(running, selfRegistration(wallet, { body: NAMED, unixSeconds }));
  for (const seconds of [-10 * MINUTE, 10 * MINUTE]) {
    expect((await at(NOW + seconds)).status, `${seconds}`).toBe(200);
  }
  for (const seconds of [-10 * MINUTE - 1, 10 * MINUTE + 1, -3_600, 86_400, -NOW + 1]) {
    expect(refusalOf(await at(NOW + seconds)), `${seconds}`).toBe('401 stale_timestamp');
  }
  expect(await listDevices(running, wallet.publicKey)).toHaveLength(2);
});

test('a signature is valid once: not again, not malleated, not after a restart', async () => {
  const running = await start();
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const signature = call.headers['x-nds-signature'] ?? '';
  const other = malleate(signature);
  expect(other).not.toBe(signature);
  const malleated = { ...call, headers: { ...call.headers, 'x-nds-signature': other } };
  const inCapitals = {
    ...call,
    headers: { ...call.headers, 'x-nds-signature': signature.toUpperCase() },
  };
  expect((await post(running, malleated)).status).toBe(200);
  for (let start = 0; start < 2; start += 1) {
    for (const repeated of [call, malleated, inCapitals]) {
      const answer = await post(running, repeated);
      expect(refusalOf(answer)).toBe('401 bad_signature');
      expect(problemOf(answer).detail).toBe('This signature was used before.');
    }
    await running.restart();
  }
  expect(await listDevices(running, wallet.publicKey)).toHaveLength(1);
});

test('a signature with a time in the future is valid once until its very end', async () => {
  const running = await start();
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW + 10 * MINUTE });
  expect((await post(running, call)).status).toBe(200);
  running.clock.advance(20 * MINUTE * 1_000);
  expect(refusalOf(await post(running, call))).toBe('401 bad_signature');
  running.clock.advance(1);
  expect(refusalOf(await post(running, call))).toBe('401 stale_timestamp');
});

test('twenty copies of one registration at once make one device', async () => {
  const running = await start();
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(running, call)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 401)).toHaveLength(19);
  expect(await listDevices(running, wallet.publicKey)).toHaveLength(1);
});

test('a user who registers devices by signature has no more devices than otherwise', async () => {
  const running = await start({ NDS_MAX_DEVICES_PER_USER: '2' });
  for (const status of [200, 200, 409]) {
    const body = { ...NAMED, app_data: `wallet-${status}` };
    const unixSeconds = NOW + (await listDevices(running, wallet.publicKey)).length;
    expect((await post(running, selfRegistration(wallet, { body, unixSeconds }))).status).toBe(
      status,
    );
  }
});

test('an address with a path has the same origin', async () => {
  const running = await start({ NOTIFY_EXTERNAL_URL: 'https://nds.example.com:8443/push/' });
  const origin = 'https://nds.example.com:8443';
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW, origin });
  const device = deviceOf(await post(running, call));
  expect(device.urls.notify).toMatch(/^https:\/\/nds\.example\.com:8443\/push\/n\/[\w-]{22}$/);
  const listed = await callRegistry(running, { path: `/${device.id}` });
  expect(deviceOf(listed)).toEqual(device);
});

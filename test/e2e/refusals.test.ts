// Every refused call leaves a row that shows whom it named, only by fingerprints, and whose id is in the answer.

import { expect, test } from 'vitest';
import { handleKey } from '../../src/core/devices/registry.ts';
import { subjectHashOf } from '../../src/core/subject.ts';
import { tokenKey } from '../../src/core/target.ts';
import { type Call, problemOf, send } from '../support/callers.ts';
import { readDatabaseFiles } from '../support/database-files.ts';
import { callRegistry, paymentBody, wake } from '../support/device-calls.ts';
import { androidToken, setupDriven } from '../support/driven-service.ts';
import {
  ADDRESS,
  HASH,
  HOUR_MS,
  lsp,
  NOW_MS,
  recorded,
  refusalsOf,
  start,
  stranger,
  TOKEN_FORM,
  UNKNOWN_HANDLE,
  VALID,
} from '../support/refused-calls.ts';
import { handleOf, pathOf } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath } from '../support/service.ts';
import { lsps5Call, resmicCall, sparkPaymentCall } from '../support/signed-calls.ts';

test('a wrong call leaves the names of the fields and whom it named', async () => {
  const { refused, device, fingerprint } = await start();
  const target = { app: 'default', platform: 'android', token: ANDROID_TOKEN } as const;
  const tokenHash = fingerprint(tokenKey(target));
  const addressHash = fingerprint(`address\n${ADDRESS}`);

  const query = await refused({ path: '/api/v1/notify?platform=windows', body: VALID });
  expect(query).toMatchObject({ ...TOKEN_FORM, fields: 'platform,token', isKnown: false });
  expect(query.tokenHash).toBeUndefined();

  const body = await refused({ path: notifyPath(ANDROID_TOKEN), body: '{"template":"payment"}' });
  expect(body).toMatchObject({ ...TOKEN_FORM, code: 'bad_body', fields: 'template', tokenHash });
  expect(body).toMatchObject({ app: 'default', addressHash, isKnown: false });

  const known = await refused({ path: pathOf(device, 'notify'), body: '{}' });
  expect(known).toMatchObject({ door: '/n/:handle', deviceId: device.id, tokenHash });
  expect(known.isKnown).toBe(true);

  const large = await refused({ path: pathOf(device, 'notify'), body: 'x'.repeat(70_000) });
  expect(large).toMatchObject({ code: 'body_too_large', status: 413, door: '/n/:handle' });
  const zipped = { path: '/notify', headers: { 'content-encoding': 'gzip' }, body: 'x' };
  expect(await refused(zipped)).toMatchObject({ code: 'unsupported_encoding', door: '/notify' });
  const get = { method: 'PUT', path: '/notify' };
  expect(await refused(get)).toMatchObject({ code: 'method_not_allowed', door: '/notify' });
  const long = paymentBody('x'.repeat(5_000));
  const tooLong = await refused({ path: notifyPath(ANDROID_TOKEN), body: long });
  expect(tooLong).toMatchObject({ code: 'push_too_large', status: 413, tokenHash });
  expect(tooLong.subjectHash).toBe(fingerprint('x'.repeat(5_000)));
});

test('an unknown address leaves the fingerprint of its handle', async () => {
  const { refused, fingerprint } = await start();
  const handle = await refused({ path: `/n/${UNKNOWN_HANDLE}`, body: VALID });
  expect(handle).toMatchObject({ door: '/n/:handle', code: 'unknown_handle', isKnown: false });
  expect(handle.handleHash).toBe(fingerprint(handleKey('notify', UNKNOWN_HANDLE)));

  const app = await refused({ path: notifyPath(ANDROID_TOKEN, { app: 'mine' }), body: VALID });
  expect(app).toMatchObject({ code: 'unknown_app', isKnown: false });
  expect(app.app).toBeUndefined();
  expect(app.subjectHash).toBe(subjectHashOf(fingerprint, HASH));

  const source = { path: `/api/v1/webhooks/nobody/${UNKNOWN_HANDLE}`, body: '{}' };
  const door = '/api/v1/webhooks/:source/:handle';
  expect(await refused(source)).toMatchObject({ code: 'unknown_source', door });
  expect(await refused({ path: '/wp-login.php' })).toMatchObject({ code: 'not_found', door: '*' });
});

test('a refused signature leaves the device and the node that signed', async () => {
  const { refused, device, clock } = await start();
  const path = pathOf(device, 'lsps5');
  const forged = lsps5Call({ path, secretKey: stranger.secretKey }, { atMs: clock.wallMs() });
  expect(await refused(forged)).toMatchObject({
    door: '/api/v1/lsps5/:handle',
    source: 'lsps5',
    code: 'bad_signature',
    deviceId: device.id,
    nodeId: stranger.publicKey,
    isKnown: true,
  });
  const stale = lsps5Call({ path, secretKey: lsp.secretKey }, { atMs: clock.wallMs() - HOUR_MS });
  expect(await refused(stale)).toMatchObject({ code: 'stale_timestamp', nodeId: lsp.publicKey });
  const resmic = resmicCall({ path: pathOf(device, 'resmic'), secret: 'guessed' });
  expect(await refused(resmic)).toMatchObject({ source: 'resmic', deviceId: device.id });
  const ofDomain = sparkPaymentCall({
    path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
    secret: 'guessed',
    user: lsp.publicKey,
  });
  const domain = await refused(ofDomain);
  expect(domain).toMatchObject({ source: 'spark_payment_received', isKnown: true });
  const listing = { method: 'GET', path: '/api/v1/devices?user=alice' };
  expect(await refused(listing)).toMatchObject({ code: 'unauthorized', door: '/api/v1/devices' });
});

test('in a flood of forgeries the node is computed only a few times', async () => {
  const { running, call, device, clock } = await start();
  const path = pathOf(device, 'lsps5');
  for (let second = 0; second < 12; second += 1) {
    const atMs = clock.wallMs() - second * 1_000;
    await call(lsps5Call({ path, secretKey: stranger.secretKey }, { atMs }));
  }
  const rows = await refusalsOf(running);
  expect(rows.map(({ nodeId, count }) => [nodeId, count])).toEqual([
    [stranger.publicKey, 5],
    [undefined, 7],
  ]);
});

test('a token that is refused without a push leaves a refusal; before, it left a delivery', async () => {
  const { running, refused, call } = await start();
  const faults = [
    [IOS_TOKEN, { kind: 'reason', reason: 'BadDeviceToken' }, 'token_rejected'],
    [ANDROID_TOKEN, { kind: 'fcm_error', error: 'UNREGISTERED' }, 'token_unregistered'],
  ] as const;
  for (const [token, fault, code] of faults) {
    running.sandbox.script({ token, fault });
    const asked = await call({ path: notifyPath(token), body: paymentBody(`first ${code}`) });
    const before = await refusalsOf(running);
    const id = String(problemOf(asked).id);
    const [delivery] = await running.service.store.findDeliveries({ id, limit: 1 });
    expect(delivery).toMatchObject({
      ...TOKEN_FORM,
      requestId: asked.headers['request-id'],
      told: code,
      toldStatus: asked.status,
      toldAtMs: NOW_MS,
    });
    expect(before.filter((row) => row.code === code)).toEqual([]);
    const row = await refused({ path: notifyPath(token), body: VALID });
    // Only for a token that a phone had is it known that it is dead.
    expect(row).toMatchObject({ code, isKnown: code === 'token_unregistered' });
  }
});

test('a type that the app does not know leaves a refusal, whether it is refused or ignored', async () => {
  const apps = { default: { types: ['tx_confirmed'] } };
  const { running, refused, call, device } = await start({ NDS_APPS: JSON.stringify(apps) });
  const race = await refused({ path: pathOf(device, 'notify'), body: VALID });
  expect(race).toMatchObject({ code: 'type_not_supported', status: 422, deviceId: device.id });
  const news = { template: 'address_txs_confirmed', data: { address: 'bc1q' } };
  const ignored = await call({ path: pathOf(device, 'notify'), body: JSON.stringify(news) });
  expect(ignored.status).toBe(200);
  expect((await refusalsOf(running)).at(-1)).toMatchObject({
    code: 'type_not_supported',
    status: 200,
    requestId: ignored.headers['request-id'],
  });
});

test('a limit that is reached is named', async () => {
  const { refused, call, device } = await start({ NDS_TOKEN_RATE: '1/0.01' });
  const path = pathOf(device, 'notify');
  await call({ path, body: paymentBody('first') });
  const row = await refused({ path, body: VALID });
  expect(row).toMatchObject({ code: 'rate_limited', limit: 'token_rate', deviceId: device.id });
});

test('a missing configuration leaves a refusal', async () => {
  const names = ['KEY', 'KEY_ID', 'TEAM_ID', 'TOPIC', 'ENVIRONMENT', 'ENDPOINT'];
  const { refused } = await start(
    Object.fromEntries(names.map((name) => [`APNS_${name}`, undefined])),
  );
  const row = await refused({ path: notifyPath(IOS_TOKEN), body: VALID });
  expect(row).toMatchObject({ code: 'provider_not_configured', status: 502 });
});

test('an outage that a payment cannot wait for leaves refusals and a row of its own', async () => {
  const { running, pay, elapse, clock } = await setupDriven();
  const fault = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault });
  const began = clock.wallMs();
  for (const number of [1, 2, 3]) await pay(androidToken(number), 'aa');
  await elapse(70_000);
  const refused = [await pay(androidToken(4), HASH), await pay(androidToken(5), HASH)];
  expect(refused.at(-1)).toMatchObject({ retryAfter: '1', body: { code: 'provider_unavailable' } });
  await running.service.settled();
  const { refusals, outages } = recorded(running);
  expect(refusals.at(-1)).toMatchObject({ code: 'provider_unavailable', status: 503 });
  expect(outages).toEqual([
    { app: 'default', provider: 'fcm', reason: 'UNAVAILABLE', beganAtMs: began },
  ]);
});

test('repeats are counted at their delivery and leave a row a minute', async () => {
  const { running, call, clock } = await start();
  const again = () => call({ path: notifyPath(ANDROID_TOKEN), body: VALID });
  const first = await again();
  const second = await again();
  clock.advance(5_000);
  await again();
  const [row, ...others] = await refusalsOf(running);
  expect(others).toEqual([]);
  const deliveryId = String(first.headers['delivery-id']);
  expect(row).toMatchObject({
    code: 'duplicate',
    status: 200,
    count: 2,
    deliveryId,
    requestId: second.headers['request-id'],
    lastAtMs: NOW_MS + 5_000,
    isKnown: true,
  });
  const [delivery] = await running.service.store.findDeliveries({ id: deliveryId, limit: 1 });
  expect(delivery).toMatchObject({
    told: 'delivered',
    toldAtMs: NOW_MS,
    repeats: 2,
    repeatedAtMs: NOW_MS + 5_000,
  });
});

test('a request that is not HTTP leaves a refusal with the id that its sender got', async () => {
  const { running } = await start();
  const headers = { host: 'a b' };
  const answer = await send(running.service.url, { path: '/notify', headers, body: VALID });
  expect(answer.status).toBe(400);
  const row = (await refusalsOf(running)).at(-1);
  expect(row).toMatchObject({ code: 'bad_request', door: '*', isKnown: false });
  expect(row?.requestId).toBe(answer.headers['request-id']);
});

test('no token, handle, subject, address or name of a caller is in the database as plain text', async () => {
  const { running, call, device } = await start({ NDS_TOKEN_RATE: '1/0.01' });
  const invented = 'invented-by-a-caller';
  const calls: readonly Call[] = [
    { path: notifyPath(ANDROID_TOKEN), body: VALID },
    { path: notifyPath(ANDROID_TOKEN), body: paymentBody(invented) },
    { path: notifyPath(IOS_TOKEN, { app: invented }), body: VALID },
    { path: pathOf(device, 'notify'), body: paymentBody(`other ${HASH}`) },
    { path: `/n/${UNKNOWN_HANDLE}`, body: VALID },
    { path: `/n/${ANDROID_TOKEN}`, body: VALID },
    { path: `/${invented}`, body: VALID },
  ];
  for (const one of calls) await call(one);
  const body = { platform: 'android', token: ANDROID_TOKEN, [IOS_TOKEN]: 1, [invented]: 2 };
  await callRegistry(running, { method: 'POST', body });
  await wake(running, device, HASH);
  await running.service.settled();
  expect(recorded(running).refusals.length).toBeGreaterThan(5);
  const needles = [ANDROID_TOKEN, IOS_TOKEN, HASH, UNKNOWN_HANDLE, ADDRESS, invented];
  needles.push(handleOf(device, 'notify'), '127.0.0.1');
  const found = readDatabaseFiles(running.folder).flatMap(({ name, bytes }) =>
    needles.filter((needle) => bytes.includes(needle)).map((needle) => [name, needle]),
  );
  expect(found).toEqual([]);
});

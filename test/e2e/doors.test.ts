// Which calls the Breez family's door takes: methods, paths, queries and platforms. A refused call leaves no row,
// causes no push, and reveals nothing about the token.

import { expect, test } from 'vitest';
import { type Answer, expectNoTrace, problemOf, refusalOf, send } from '../support/callers.ts';
import { callRegistry, registerPhone, successOf } from '../support/device-calls.ts';
import { handleOf, pathOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';
import { resmicCall } from '../support/signed-calls.ts';

const BODY = '{"template":"payment_received","data":{"payment_hash":"body-of-the-caller"}}';
const HEX = '0123456789abcdef';
/** Opaque, as Google's are. */
const longToken = (characters: number) => `x:${'y'.repeat(characters - 2)}`;

function post(running: Setup, path: string, body: string = BODY): Promise<Answer> {
  return send(running.service.url, { path, body });
}

test('takes only POST and says so', async () => {
  const running = await setup();
  const doors = ['/api/v1/notify', '/notify', '/api/v1/response/AAAAAAAAAAAAAAAAAAAAAA'];
  for (const door of doors) {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']) {
      const path = `${door}?platform=android&token=${ANDROID_TOKEN}`;
      const answer = await send(running.service.url, { method, path });
      expect(refusalOf(answer), method).toBe('405 method_not_allowed');
      expect(answer.headers.allow).toBe('POST');
    }
    const head = await send(running.service.url, { method: 'HEAD', path: door });
    expect([head.status, head.headers.allow, head.text]).toEqual([405, 'POST', '']);
  }
  for (const path of ['/healthz', '/readyz']) {
    const answer = await post(running, path);
    expect(refusalOf(answer)).toBe('405 method_not_allowed');
    expect(answer.headers.allow).toBe('GET, HEAD');
    expect((await send(running.service.url, { method: 'HEAD', path })).status).toBe(200);
  }
  await expectNoTrace(running, [ANDROID_TOKEN, 'body-of-the-caller']);
});

test('knows its paths and no others', async () => {
  const running = await setup();
  const query = `?platform=android&token=${ANDROID_TOKEN}`;
  const paths = ['/', '/notif', '/notify//', '/Notify', '/api/v1/notify//', '/api/v2/notify'];
  const odd = ['/api/v1//notify', '//notify', '/notify;x=1', '/api/v1/response', '/metrics/'];
  for (const path of [...paths, ...odd]) {
    for (const method of ['POST', 'GET']) {
      const answer = await send(running.service.url, { method, path: `${path}${query}` });
      expect(refusalOf(answer), path).toBe('404 not_found');
    }
  }
  await expectNoTrace(running, [ANDROID_TOKEN]);
});

test('serves every path with a slash at its end, too', async () => {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT });
  const secret = 'secret-of-the-device';
  const device = await registerPhone(running, { secrets: { resmic: [secret] } });
  const paths = ['/notify/', '/api/v1/notify/'].map((path) => `${path}?platform=ios&token=ab12`);
  paths.push(`${pathOf(device, 'notify')}/`, `/api/v1/notify/${handleOf(device, 'notify')}/`);
  for (const [index, path] of paths.entries()) {
    const answer = await post(running, path, BODY.replace('body', `body ${index}`));
    expect([answer.status, successOf(answer).status], path).toEqual([200, 'delivered']);
  }
  const signed = resmicCall({ path: `${pathOf(device, 'resmic')}/`, secret });
  expect(successOf(await send(running.service.url, signed)).status).toBe('delivered');
  const unsigned = await post(running, `${pathOf(device, 'lsps5')}/`);
  expect(refusalOf(unsigned)).toBe('401 stale_timestamp');
  const reply = await post(running, `/api/v1/response/${'A'.repeat(22)}/`);
  expect([refusalOf(reply), problemOf(reply).detail]).toEqual([
    '404 not_found',
    'No caller waits for a reply with this id.',
  ]);
  const described = await callRegistry(running, { path: `/${device.id}/` });
  expect(described.status).toBe(200);
  const health = await send(running.service.url, { method: 'GET', path: '/healthz/' });
  expect(health.status).toBe(200);
});

const TOKEN_FAULTS: readonly (readonly [string, string])[] = [
  ['missing', 'platform=android'],
  ['empty', 'platform=android&token='],
  ['without a value', 'platform=android&token'],
  ['of 4,097 characters', `platform=android&token=${longToken(4_097)}`],
  ['hex of odd length', `platform=ios&token=${IOS_TOKEN}a`],
  ['hex of 202 characters', `platform=ios&token=${'ab'.repeat(101)}`],
  ['with a zero byte', 'platform=android&token=secret%00token'],
  ['with a line feed', 'platform=android&token=secret%0Atoken'],
  ['with a delete', 'platform=ios&token=secret%7Ftoken'],
  ['with a control character of Latin-1', 'platform=ios&token=secret%C2%85token'],
  ['not UTF-8', 'platform=android&token=secret%FFtoken'],
  ['cut inside a character', 'platform=android&token=secret%E2%82'],
  ['with an escape that is none', 'platform=android&token=secret%zztoken'],
  ['that ends in a percent sign', 'platform=android&token=secret%'],
  ['whose first value is empty', 'platform=android&token=&token=secrettoken'],
];

/** Parts of these tokens, long enough that no random id contains them. */
const PARTS = ['secret', 'yyyyyy', 'abababababab', IOS_TOKEN.slice(0, 12)];

test('names the token as the fault, whatever is wrong with it, and never repeats it', async () => {
  const running = await setup();
  for (const [name, query] of TOKEN_FAULTS) {
    const answer = await post(running, `/api/v1/notify?${query}`);
    expect(refusalOf(answer), name).toBe('400 bad_query');
    expect(
      problemOf(answer).errors?.map(({ field }) => field),
      name,
    ).toEqual(['token']);
    for (const part of PARTS) expect(answer.text, name).not.toContain(part);
  }
  await expectNoTrace(running, [...PARTS, 'body-of-the-caller']);
});

test('names every fault of a query at once', async () => {
  const running = await setup();
  const queries: readonly (readonly [string, readonly string[]])[] = [
    ['', ['platform', 'token']],
    ['?', ['platform', 'token']],
    ['?&&==&', ['platform', 'token']],
    ['?Platform=ios&Token=abcd', ['platform', 'token']],
    ['?platform=web&token=secrettoken', ['platform']],
    ['?platform=IOS&token=secrettoken', ['platform']],
    ['?platform=&token=secrettoken', ['platform']],
    ['?platform=%zz&token=secrettoken', ['platform']],
    ['?platform=web&platform=ios&token=secrettoken', ['platform']],
    ['?platform=ios;token=secrettoken', ['platform', 'token']],
    [
      `?platform=web&token=&app=${'a'.repeat(65)}&app_data=%ff`,
      ['platform', 'token', 'app', 'app_data'],
    ],
    ['?platform=ios&token=secrettoken&app_data=%c3%28', ['app_data']],
    ['?platform=ios&token=secrettoken&app=%e0%80', ['app']],
  ];
  for (const [query, fields] of queries) {
    const answer = await post(running, `/notify${query}`);
    expect(refusalOf(answer), query).toBe('400 bad_query');
    const named = problemOf(answer).errors?.map(({ field }) => field) ?? [];
    expect(named.toSorted(), query).toEqual(fields.toSorted());
    expect(answer.text).not.toContain('secrettoken');
  }
  await expectNoTrace(running, ['secrettoken', 'body-of-the-caller']);
});

test('takes every token that a provider could have issued, at its limits', async () => {
  const running = await setup();
  const tokens: readonly (readonly [string, string, 'apns' | 'fcm'])[] = [
    ['ios', IOS_TOKEN, 'apns'],
    ['ios', HEX.repeat(12) + HEX.slice(0, 8), 'apns'],
    ['ios', ANDROID_TOKEN, 'fcm'],
    ['ios', 'fcm-token:APA91b', 'fcm'],
    ['android', longToken(4_096), 'fcm'],
    // A token on Android is never an APNs token, so neither its length nor its parity matters.
    ['android', 'abc', 'fcm'],
    ['android', 'ab'.repeat(150), 'fcm'],
  ];
  for (const [platform, token, provider] of tokens) {
    const answer = await post(
      running,
      `/api/v1/notify?${new URLSearchParams({ platform, token })}`,
    );
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"delivered"')]);
    const pushes = running.sandbox.received();
    expect(pushes.at(-1)).toMatchObject({ platform, token, provider });
  }
  expect(running.sandbox.received()).toHaveLength(tokens.length);
});

test('routes an iOS token by its form, and adds for FCM the block that APNs needs', async () => {
  const running = await setup();
  await post(running, notifyPath(IOS_TOKEN));
  await post(running, `/api/v1/notify?platform=ios&token=${ANDROID_TOKEN}`);
  await post(running, notifyPath(ANDROID_TOKEN));
  const [apple, google, android] = running.sandbox.received();
  expect(apple).toMatchObject({ provider: 'apns', title: 'Incoming payment' });
  expect(google).toMatchObject({ provider: 'fcm', platform: 'ios', title: 'Incoming payment' });
  expect(google?.fcm?.message).toMatchObject({
    apns: {
      headers: { 'apns-priority': '10', 'apns-push-type': 'alert' },
      payload: { aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 } },
    },
  });
  expect(android).toMatchObject({ provider: 'fcm', platform: 'android', title: undefined });
  expect(android?.fcm?.message).not.toHaveProperty('apns');
  expect(android?.fcm?.message).not.toHaveProperty('notification');
});

test('passes app_data to the app unchanged, and leaves it out if there is none', async () => {
  const running = await setup();
  const texts = ['wallet-1', '', 'a b&c=d', '100 % + "quoted"', 'ü 発 🌩', '\ufffd', '\u0001'];
  for (const [index, text] of texts.entries()) {
    for (const token of [ANDROID_TOKEN, IOS_TOKEN]) {
      const query = new URLSearchParams({ app_data: text });
      const body = BODY.replace('body-of', `${index}`);
      const answer = await post(running, `${notifyPath(token)}&${query}`, body);
      expect(answer.status, text).toBe(200);
      expect(running.sandbox.received().at(-1)?.data.app_data).toBe(text);
    }
  }
  await post(running, `${notifyPath(ANDROID_TOKEN)}&app_data=plus+is+blank&app_data=second`);
  expect(running.sandbox.received().at(-1)?.data.app_data).toBe('plus is blank');
  await post(running, notifyPath(ANDROID_TOKEN));
  expect(running.sandbox.received().at(-1)?.data).not.toHaveProperty('app_data');
});

test('accepts the short path, a whole address and unknown parameters as breez/notify does', async () => {
  const running = await setup();
  const query = `platform=android&token=${ANDROID_TOKEN}`;
  const paths = [
    `/notify?${query}`,
    `http://another.example/api/v1/notify?${query}`,
    `/notify?utm=%zz&${query}&x[]=1&token=second&platform=ios`,
    `/notify?%70latform=android&to%6ben=${ANDROID_TOKEN}`,
  ];
  for (const [index, path] of paths.entries()) {
    const answer = await post(running, path, BODY.replace('body', `body ${index}`));
    expect([answer.status, answer.text], path).toEqual([200, expect.stringContaining('delivered')]);
  }
  expect(running.sandbox.received(ANDROID_TOKEN)).toHaveLength(paths.length);
});

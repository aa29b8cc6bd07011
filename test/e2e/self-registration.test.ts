// A wallet registers itself by a signed message, without any backend: the key that signed is its user.

import { expect, test } from 'vitest';
import { type Answer, type Call, problemOf, refusalOf, send } from '../support/callers.ts';
import {
  callRegistry,
  type DescribedDevice,
  deviceOf,
  faultyFields,
  listDevices,
  readDevice,
  registerPhone,
  successOf,
  wake,
} from '../support/device-calls.ts';
import {
  createWallet,
  malleate,
  messageToSign,
  selfRegistration,
} from '../support/lightning-wallet.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { handleOf, REGISTRY_ENVIRONMENT } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from '../support/service.ts';
import { sparkPaymentCall } from '../support/signed-calls.ts';

const NOW = 1_754_049_600;
const MINUTE = 60;
const DOMAIN = {
  path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
  secret: 'domain',
};
const wallet = createWallet(1);
const PHONE = { platform: 'android', token: ANDROID_TOKEN };
/** A wallet that names its key is refused if the signature recovers to another. */
const NAMED = { ...PHONE, user: wallet.publicKey };

async function start(environment: Record<string, string | undefined> = {}) {
  const clock = new ManualClock(NOW * 1_000);
  const running = await setup({
    clock,
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SELF_REGISTRATION: 'on', ...environment },
  });
  await running.service.reach;
  return Object.assign(running, { clock });
}

function post({ service }: Setup, call: Call): Promise<Answer> {
  return send(service.url, call);
}

async function expectNobody(running: Setup): Promise<void> {
  expect(await listDevices(running, wallet.publicKey)).toEqual([]);
}

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

test('a wallet may name its key, in either case, and no other', async () => {
  const running = await start();
  const upper = { ...PHONE, user: wallet.publicKey.toUpperCase() };
  const named = await post(running, selfRegistration(wallet, { body: upper, unixSeconds: NOW }));
  expect(deviceOf(named).user).toBe(wallet.publicKey);
  const other = { ...PHONE, user: createWallet(2).publicKey };
  const answer = await post(running, selfRegistration(wallet, { body: other, unixSeconds: NOW }));
  expect(refusalOf(answer)).toBe('401 bad_signature');
  expect(await listDevices(running, other.user)).toEqual([]);
});

test('every registration makes new handles, and overwrites nobody’s', async () => {
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

test('a phone that registered twice is woken once by what is sent to its user', async () => {
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

test('a signature is good for ten minutes either way, and not a second longer', async () => {
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

test('a signature is good once: not again, not malleated, not after a restart', async () => {
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

test('a signature that was made ahead of time is good once until its very end', async () => {
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

test('what was signed for another place, time or body is refused', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const tampered: readonly (readonly [string, Call])[] = [
    [
      'another origin',
      selfRegistration(wallet, { body: NAMED, unixSeconds: NOW, origin: 'https://evil.example' }),
    ],
    [
      'the origin with a slash',
      selfRegistration(wallet, {
        body: NAMED,
        unixSeconds: NOW,
        origin: 'https://nds.example.com/',
      }),
    ],
    [
      'the origin over http',
      selfRegistration(wallet, { body: NAMED, unixSeconds: NOW, origin: 'http://nds.example.com' }),
    ],
    ['another time', { ...good, headers: { ...good.headers, 'x-nds-time': String(NOW + 1) } }],
    ['another token', { ...good, body: good.body.replace('Example', 'Attacker') }],
    ['more white space', { ...good, body: ` ${good.body}` }],
    ['another key', selfRegistration(createWallet(2), { body: NAMED, unixSeconds: NOW })],
  ];
  for (const [about, call] of tampered) {
    expect(refusalOf(await post(running, call)), about).toBe('401 bad_signature');
  }
  await expectNobody(running);
  expect((await post(running, good)).status).toBe(200);
});

test('who tampers with a registration that names no key registers himself, never the wallet', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: PHONE, unixSeconds: NOW });
  const tampered = { ...good, body: good.body.replace('Example', 'Attacker') };
  const answer = await post(running, tampered);
  expect(deviceOf(answer).user).not.toBe(wallet.publicKey);
  await expectNobody(running);
});

test('what is no signature or no time is refused', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: PHONE, unixSeconds: NOW });
  const signature = good.headers['x-nds-signature'] ?? '';
  const signatures = [
    undefined,
    '',
    'zzzz',
    signature.slice(1),
    `${signature}y`,
    ` ${signature.slice(1)}`,
    // 0, 2, l and v are no letters of zbase32.
    `0${signature.slice(1)}`,
    `${signature.slice(0, -1)}v`,
    `${signature}, ${signature}`,
    Buffer.from(signature).toString('base64'),
    'y'.repeat(104),
    '9'.repeat(104),
  ];
  for (const changed of signatures) {
    const { 'x-nds-signature': _signature, ...others } = good.headers;
    const headers = changed === undefined ? others : { ...others, 'x-nds-signature': changed };
    const answer = await post(running, { ...good, headers });
    expect(refusalOf(answer), changed).toBe('401 bad_signature');
  }
  const times = [
    undefined,
    '',
    '0',
    '-1',
    `0${NOW}`,
    `${NOW}.0`,
    `${NOW}000`,
    `+${NOW}`,
    'now',
    '1e9',
  ];
  for (const changed of [...times, `${NOW} `, `${NOW}, ${NOW}`, '9'.repeat(400)]) {
    const text = changed?.trim() ?? '';
    const headers: Record<string, string> = { ...good.headers };
    headers['x-nds-signature'] = wallet.sign(
      messageToSign('https://nds.example.com', text, good.body),
    );
    if (changed === undefined) delete headers['x-nds-time'];
    else headers['x-nds-time'] = changed;
    const answer = await post(running, { ...good, headers });
    // Blanks around a header are no part of it.
    if (text === String(NOW)) expect(answer.status).toBe(200);
    else expect(refusalOf(answer), changed).toBe('401 stale_timestamp');
  }
});

test('a faulty body is refused by its fields and leaves the signature unused', async () => {
  const running = await start();
  const faulty = { ...NAMED, platform: 'web', locale: 'de_CH' };
  const answer = await post(running, selfRegistration(wallet, { body: faulty, unixSeconds: NOW }));
  expect([refusalOf(answer), faultyFields(answer)]).toEqual([
    '400 bad_body',
    ['locale', 'platform'],
  ]);
  const none = await post(running, selfRegistration(wallet, { body: 'no json', unixSeconds: NOW }));
  expect(refusalOf(none)).toBe('400 bad_body');
  const app = { ...NAMED, app: 'unknown' };
  const unknown = await post(running, selfRegistration(wallet, { body: app, unixSeconds: NOW }));
  expect(refusalOf(unknown)).toBe('404 unknown_app');
  await expectNobody(running);
});

test('a wallet cannot read, change or delete devices, its own included', async () => {
  const running = await start();
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const { id } = deviceOf(await post(running, call));
  for (const [method, path] of [
    ['GET', `/${id}`],
    ['GET', `?user=${wallet.publicKey}`],
    ['PATCH', `/${id}`],
    ['PUT', `/${id}/token`],
    ['POST', `/${id}/handles/notify`],
    ['DELETE', `/${id}/handles/notify`],
    ['DELETE', `/${id}`],
  ]) {
    const again = selfRegistration(wallet, { body: { locale: 'en' }, unixSeconds: NOW + 1 });
    const answer = await post(running, {
      ...again,
      method: method ?? '',
      path: `/api/v1/devices${path}`,
      headers: { ...again.headers, 'content-length': String(again.body.length) },
    });
    expect(refusalOf(answer), `${method} ${path}`).toBe('401 unauthorized');
  }
  expect(await listDevices(running, wallet.publicKey)).toHaveLength(1);
});

test('a wrong bearer token is not forgiven for a good signature', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const headers = { ...good.headers, authorization: 'Bearer a-key-of-nobody-at-all' };
  expect(refusalOf(await post(running, { ...good, headers }))).toBe('401 unauthorized');
  await expectNobody(running);
});

test('nobody registers himself unless the vendor allows it', async () => {
  const running = await start({ NDS_SELF_REGISTRATION: undefined });
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  expect(refusalOf(await post(running, call))).toBe('401 unauthorized');
  await expectNobody(running);
});

test('a user has no more devices by registering himself than otherwise', async () => {
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

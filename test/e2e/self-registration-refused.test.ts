// Refused registrations by wallets, and what a wallet may not do although it can register itself.

import { expect, test } from 'vitest';
import { type Call, refusalOf } from '../support/callers.ts';
import { deviceOf, faultyFields, listDevices } from '../support/device-calls.ts';
import { createWallet, messageToSign, selfRegistration } from '../support/lightning-wallet.ts';
import { NAMED, NOW, PHONE, post, start, wallet } from '../support/self-registration.ts';
import type { Setup } from '../support/service.ts';

async function expectNobody(running: Setup): Promise<void> {
  expect(await listDevices(running, wallet.publicKey)).toEqual([]);
}

test('a signature for another place, time or body is refused', async () => {
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

test('a changed registration that names no key registers the attacker, never the wallet', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: PHONE, unixSeconds: NOW });
  const tampered = { ...good, body: good.body.replace('Example', 'Attacker') };
  const answer = await post(running, tampered);
  expect(deviceOf(answer).user).not.toBe(wallet.publicKey);
  await expectNobody(running);
});

test('an invalid signature or time is refused', async () => {
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
    // 0, 2, l and v are not in the alphabet of zbase32.
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
    // Spaces around a header's value are not part of it.
    if (text === String(NOW)) expect(answer.status).toBe(200);
    else expect(refusalOf(answer), changed).toBe('401 stale_timestamp');
  }
});

test('a faulty body is refused by its fields and does not use up the signature', async () => {
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

test('a wrong bearer token is refused despite a valid signature', async () => {
  const running = await start();
  const good = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  const headers = { ...good.headers, authorization: 'Bearer a-key-of-nobody-at-all' };
  expect(refusalOf(await post(running, { ...good, headers }))).toBe('401 unauthorized');
  await expectNobody(running);
});

test('no wallet can register itself unless the vendor allows it', async () => {
  const running = await start({ NDS_SELF_REGISTRATION: undefined });
  const call = selfRegistration(wallet, { body: NAMED, unixSeconds: NOW });
  expect(refusalOf(await post(running, call))).toBe('401 unauthorized');
  await expectNobody(running);
});

// Handles: one for each door of a device, useless at any other door, revoked and renewed separately, and at their own
// door equal to the token itself.

import { expect, test } from 'vitest';
import {
  type Answer,
  invoiceRequestBody,
  refusalOf,
  reply,
  send,
  startCall,
} from '../support/callers.ts';
import {
  callRegistry,
  deleteDevice,
  paymentBody,
  readDevice,
  registerPhone,
  renewHandle,
  successOf,
  wake,
  wakeHandle,
} from '../support/device-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';
import {
  authorization,
  handleOf,
  pathOf,
  REGISTRY_ENVIRONMENT,
  register,
} from '../support/registry.ts';
import { ANDROID_TOKEN, EXTERNAL_URL, IOS_TOKEN, type Setup, setup } from '../support/service.ts';
import { epayCall, resmicCall } from '../support/signed-calls.ts';

/** The path of each door, to which the handle is appended. */
const DOORS: Readonly<Record<string, string>> = {
  notify: '/n/',
  lsps5: '/api/v1/lsps5/',
  spark_ssp: '/api/v1/webhooks/spark_ssp/',
  standard: '/api/v1/webhooks/standard/',
  resmic: '/api/v1/webhooks/resmic/',
  paymentflow: '/api/v1/webhooks/paymentflow/',
  payment_api: '/api/v1/webhooks/payment_api/',
  epay: '/api/v1/webhooks/epay/',
};
const LONG_NOTIFY = '/api/v1/notify/';
const SECRET = 'a secret of the checkout';

function start(environment: Record<string, string> = {}): Promise<Setup> {
  return setup({ environment: { ...REGISTRY_ENVIRONMENT, ...environment } });
}

/** A call without signature or valid content. */
function knock(running: Setup, path: string, body = '{}'): Promise<Answer> {
  return send(running.service.url, { path, body });
}

/** An answer as a caller could compare it with others: without the parts that differ with every request. */
function comparable({ status, headers, text }: Answer): string {
  const { date: _date, 'request-id': _requestId, ...others } = headers;
  return JSON.stringify([status, others, text.replace(/urn:uuid:[0-9a-f-]{36}/, 'urn:uuid:')]);
}

test('a device has one URL for each door, every one with a handle of its own', async () => {
  const running = await start();
  const devices = [await registerPhone(running), await registerPhone(running, { user: 'a' })];
  const handles = devices.flatMap((device) => {
    expect(Object.keys(device.urls).toSorted()).toEqual(Object.keys(DOORS).toSorted());
    return Object.entries(DOORS).map(([door, path]) => {
      const url = device.urls[door] ?? '';
      expect(url.startsWith(`${EXTERNAL_URL}${path}`)).toBe(true);
      expect(url.length).toBeLessThan(250);
      const handle = handleOf(device, door);
      expect(handle).toMatch(/^[A-Za-z0-9_-]{22}$/);
      return handle;
    });
  });
  expect(new Set(handles).size).toBe(2 * Object.keys(DOORS).length);
});

test('a handle at a wrong door is answered exactly as an invented or deleted one', async () => {
  const running = await start();
  const device = await registerPhone(running);
  const deleted = await registerPhone(running, { user: 'deleted' });
  await deleteDevice(running, deleted.id);
  const invented = 'AAAAAAAAAAAAAAAAAAAAAA';
  const expected = comparable(await knock(running, `/n/${invented}`));
  expect(expected).toContain('unknown_handle');

  for (const path of [...Object.values(DOORS), LONG_NOTIFY]) {
    const door = Object.keys(DOORS).find((name) => DOORS[name] === path) ?? 'notify';
    const others = Object.keys(DOORS).filter((name) => name !== door);
    const strangers = [
      ...others.map((name) => handleOf(device, name)),
      handleOf(deleted, door),
      invented,
      handleOf(device, door).toLowerCase(),
      `${handleOf(device, door)}A`,
      'short',
      device.id,
    ];
    for (const handle of strangers) {
      expect(comparable(await knock(running, `${path}${handle}`)), `${path}${handle}`).toBe(
        expected,
      );
    }
    const own = await knock(running, `${path}${handleOf(device, door)}`);
    expect(refusalOf(own), path).toMatch(
      /^40[01] bad_body$|^401 (?:bad_signature|stale_timestamp)$/,
    );
  }
  expect(running.sandbox.received()).toEqual([]);
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
});

test('an escaped handle in the path is the same handle', async () => {
  const running = await start();
  const device = await registerPhone(running);
  const handle = handleOf(device, 'notify');
  const escaped = `%${handle.charCodeAt(0).toString(16)}${handle.slice(1)}`;
  expect((await wakeHandle(running, escaped, 'aa')).status).toBe(200);
  expect((await wakeHandle(running, `${handle}/`, 'bb')).status).toBe(200);
  expect(refusalOf(await knock(running, `/n/${handle}//`))).toBe('404 not_found');
  expect(refusalOf(await knock(running, `/n/${handle}%2F`))).toBe('404 unknown_handle');
  expect(refusalOf(await knock(running, '/n/%ff%00'))).toBe('404 unknown_handle');
  const answer = await send(running.service.url, { method: 'GET', path: `/n/${handle}` });
  expect(refusalOf(answer)).toBe('405 method_not_allowed');
});

test('a revoked URL is dead at once, and the others live', async () => {
  const running = await start();
  const device = await registerPhone(running, { secrets: { resmic: [SECRET] } });
  const path = pathOf(device, 'resmic');
  const revoke = { method: 'DELETE', path: `/${device.id}/handles/resmic` };
  expect((await callRegistry(running, revoke)).status).toBe(200);

  const call = resmicCall({ path, secret: SECRET });
  expect(refusalOf(await send(running.service.url, call))).toBe('404 unknown_handle');
  expect(successOf(await wake(running, device, 'aa')).status).toBe('delivered');
  const { resmic: _revoked, ...others } = device.urls;
  expect((await readDevice(running, device.id)).urls).toEqual(others);
  expect(refusalOf(await callRegistry(running, revoke))).toBe('404 unknown_handle');
});

test('a renewed URL replaces the old one, and a revoked one comes back under a new handle', async () => {
  const running = await start();
  const device = await registerPhone(running);
  const renewed = await renewHandle(running, device.id, 'notify');
  expect(renewed.urls.notify).not.toBe(device.urls.notify);
  expect({ ...renewed.urls, notify: '' }).toEqual({ ...device.urls, notify: '' });
  expect(refusalOf(await wake(running, device, 'aa'))).toBe('404 unknown_handle');
  const handle = handleOf({ ...device, urls: renewed.urls }, 'notify');
  expect(successOf(await wakeHandle(running, handle, 'aa')).status).toBe('delivered');

  await callRegistry(running, { method: 'DELETE', path: `/${device.id}/handles/epay` });
  const back = await renewHandle(running, device.id, 'epay');
  expect(back.urls.epay).not.toBe(device.urls.epay);
  const call = epayCall({ path: pathOf({ ...device, urls: back.urls }, 'epay') });
  expect(successOf(await send(running.service.url, call)).status).toBe('delivered');
  expect((await readDevice(running, device.id)).urls).toEqual(back.urls);
});

test('makes URLs for doors that take only handles', async () => {
  const running = await start();
  const { id } = await registerPhone(running);
  for (const door of ['spark_payment_received', 'acme', 'toString', '__proto__', '%00']) {
    const answer = await callRegistry(running, { method: 'POST', path: `/${id}/handles/${door}` });
    expect(refusalOf(answer), door).toBe('404 unknown_source');
    const revoke = { method: 'DELETE', path: `/${id}/handles/${door}` };
    expect(refusalOf(await callRegistry(running, revoke)), door).toBe('404 unknown_handle');
  }
});

test('a device that was there before a source is configured gets its URL when it asks', async () => {
  const running = await start();
  const device = await registerPhone(running);
  const acme = {
    name: 'acme',
    signature: { header: 'x-acme' },
    type: { pointer: '/type' },
    id: '/id',
  };
  await running.restart({ NDS_SOURCES: JSON.stringify({ generic: [acme] }) });
  expect(await readDevice(running, device.id)).not.toHaveProperty('urls.acme');
  const renewed = await renewHandle(running, device.id, 'acme');
  expect(Object.keys(renewed.urls)).toContain('acme');
  expect({ ...renewed.urls, acme: undefined }).toEqual({ ...device.urls, acme: undefined });
  const again = await registerPhone(running);
  expect(again.urls).toEqual(renewed.urls);
});

test('the token form can be switched off, and handles still work', async () => {
  const running = await start({ NDS_TOKEN_FORM: 'off' });
  const device = await registerPhone(running, { app_data: 'wallet-1' });
  for (const door of ['/api/v1/notify', '/notify']) {
    const path = `${door}?platform=android&token=${encodeURIComponent(ANDROID_TOKEN)}`;
    const answer = await knock(running, path, paymentBody('aa'));
    expect(refusalOf(answer)).toBe('404 not_found');
    expect(answer.text).toContain('takes no push tokens in URLs');
  }
  for (const path of [pathOf(device, 'notify'), `${LONG_NOTIFY}${handleOf(device, 'notify')}`]) {
    expect((await knock(running, path, paymentBody(`bb${path}`))).status).toBe(200);
  }
  const received = running.sandbox.received().map(({ token, data }) => [token, data.app_data]);
  expect(received).toEqual([
    [ANDROID_TOKEN, 'wallet-1'],
    [ANDROID_TOKEN, 'wallet-1'],
  ]);
});

test('an unknown handle is 404 before the body is looked at, a known one says what is wrong', async () => {
  const running = await start();
  const device = await registerPhone(running);
  expect(refusalOf(await wakeHandle(running, 'AAAAAAAAAAAAAAAAAAAAAA', 'aa'))).toBe(
    '404 unknown_handle',
  );
  expect(refusalOf(await knock(running, pathOf(device, 'notify'), 'no json'))).toBe('400 bad_body');
  const large = 'x'.repeat(70_000);
  expect(refusalOf(await knock(running, '/n/AAAAAAAAAAAAAAAAAAAAAA', large))).toBe(
    '413 body_too_large',
  );
});

test('the query is ignored at a handle’s door', async () => {
  const running = await start();
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN, app_data: 'own' });
  const path = `${pathOf(device, 'notify')}?platform=android&token=other&app_data=other&app=other`;
  expect((await knock(running, path, paymentBody('aa'))).status).toBe(200);
  const [push] = running.sandbox.received();
  expect([push?.token, push?.data.app_data]).toEqual([IOS_TOKEN, 'own']);
});

test('an invoice request through a handle is answered with what the phone replies', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock, environment: REGISTRY_ENVIRONMENT });
  const device = await registerPhone(running, { app_data: 'wallet-1' });
  const waiting = startCall(running.service.url, {
    path: pathOf(device, 'notify'),
    body: invoiceRequestBody('lnr1qqexample'),
  });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  expect(push?.data).toMatchObject({ notification_type: 'invoice_request', app_data: 'wallet-1' });
  expect((await reply(running, push, '{"invoice":"lni1"}')).status).toBe(200);
  expect((await waiting.answer).text).toBe('{"invoice":"lni1"}');

  const silent = startCall(running.service.url, {
    path: pathOf(device, 'notify'),
    body: invoiceRequestBody('lnr1qqother'),
  });
  await running.sandbox.waitFor(() => true, 2);
  clock.advance(51_000);
  expect(refusalOf(await silent.answer)).toBe('504 no_reply');
});

test('a handle and its token are two recipients: duplicates of one are new to the other', async () => {
  const running = await start();
  const device = await registerPhone(running);
  const answers = [
    await wake(running, device, 'aa'),
    await send(running.service.url, {
      path: `/notify?platform=android&token=${ANDROID_TOKEN}`,
      body: paymentBody('aa'),
    }),
    await knock(running, `${LONG_NOTIFY}${handleOf(device, 'notify')}`, paymentBody('aa')),
  ];
  expect(answers.map((answer) => successOf(answer).status)).toEqual([
    'delivered',
    'delivered',
    'duplicate',
  ]);
});

test('no handle, token or user gets into the service’s own log', async () => {
  const running = await start();
  const device = await registerPhone(running, { user: 'a-very-private-user' });
  await wake(running, device, 'aa');
  await knock(running, `/n/${handleOf(device, 'epay')}`);
  await running.post('/api/v1/devices', '{"token":"a-token-in-a-bad-body"}', {
    headers: authorization(),
  });
  await callRegistry(running, { path: '?user=a-very-private-user' });
  await callRegistry(running, { path: `/${device.id}`, key: 'a-wrong-key-of-somebody' });
  await deleteDevice(running, device.id);
  await running.service.settled();
  const said = JSON.stringify([running.log.events, running.log.lines]);
  const secrets = [
    ...Object.keys(DOORS).map((door) => handleOf(device, door)),
    ANDROID_TOKEN,
    'a-very-private-user',
    'a-token-in-a-bad-body',
    'a-wrong-key-of-somebody',
  ];
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
});

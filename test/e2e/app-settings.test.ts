// The settings of an app in NDS_APPS besides its credentials: the types that it knows, titles, lifetimes, the format of
// its pushes and its limits. Other apps, and settings that are not given, stay as they are.

import { expect, test } from 'vitest';
import type { ReceivedPush } from '../../sandbox/records.ts';
import { setupWithApps } from '../support/apps.ts';
import { type Answer, expectNoTrace, problemOf, refusalOf, send } from '../support/callers.ts';
import { changeDevice, registerPhone, successOf, wake } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { refusalsOf } from '../support/refused-calls.ts';
import { pathOf, register } from '../support/registry.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';
import { epayCall, sparkPaymentCall } from '../support/signed-calls.ts';

const FCM_ON_IOS = 'fcm-on-ios:APA91b';

function body(template: string, data: object): string {
  return JSON.stringify({ template, data });
}

const PAYMENT = (hash: string) => body('payment_received', { payment_hash: hash });

function post({ service }: Setup, path: string, sent: string): Promise<Answer> {
  return send(service.url, { path, body: sent });
}

/** A service whose app `default` has these settings. */
function withSettings(settings: object, environment: Record<string, string> = {}): Promise<Setup> {
  return setupWithApps(() => ({ default: settings }), { environment });
}

function alertOf(push: ReceivedPush | undefined): unknown {
  const aps = push?.apns?.payload.aps ?? push?.fcm?.message.apns?.payload?.aps;
  return aps !== null && typeof aps === 'object' && 'alert' in aps ? aps.alert : undefined;
}

test('a race of a type that the app does not know is 422, other news is ignored, both without a push', async () => {
  const running = await withSettings({ types: ['payment_received', 'lnurlpay_info'] });
  const race = await post(
    running,
    notifyPath(IOS_TOKEN),
    body('nwc_event', { event: '{"id":"secret"}' }),
  );
  expect(refusalOf(race)).toBe('422 type_not_supported');
  const question = { event: 'invoice.request', data: { offer: 'lno1', invoiceRequest: 'ab' } };
  const asked = await post(running, notifyPath(ANDROID_TOKEN), JSON.stringify(question));
  expect(refusalOf(asked)).toBe('422 type_not_supported');
  const news = await post(
    running,
    notifyPath(IOS_TOKEN),
    body('tx_confirmed', { tx_id: 'secret' }),
  );
  expect(successOf(news).status).toBe('ignored');
  await expectNoTrace(running, [IOS_TOKEN, 'secret']);
  expect(running.log.lines).toContainEqual({
    level: 'info',
    message: 'request_refused',
    fields: expect.objectContaining({ code: 'type_not_supported', status: 422 }),
  });
  expect(running.log.events).toContainEqual({
    name: 'unknown_type_ignored',
    id: successOf(news).id,
    app: 'default',
    type: 'tx_confirmed',
  });
  expect((await post(running, notifyPath(IOS_TOKEN), PAYMENT('aa'))).status).toBe(200);
});

test('whether a type is a race depends on its lifetime in the app', async () => {
  const running = await withSettings({
    types: ['payment_received'],
    lifetimes: { tx_confirmed: '40s', nwc_event: '2h' },
  });
  const confirmed = await post(
    running,
    notifyPath(IOS_TOKEN),
    body('tx_confirmed', { tx_id: 'aa' }),
  );
  expect(refusalOf(confirmed)).toBe('422 type_not_supported');
  const event = await post(
    running,
    notifyPath(IOS_TOKEN),
    body('nwc_event', { event: '{"id":"a"}' }),
  );
  expect(successOf(event).status).toBe('ignored');
});

test('signed news that the app does not know is acknowledged, by device and by domain', async () => {
  const user = createWallet(1).publicKey;
  const domains = { 'pay.example.com': { secrets: ['secret-of-the-domain'] } };
  const running = await withSettings(
    { types: ['payment_received'] },
    { NDS_SOURCES: JSON.stringify({ domains }) },
  );
  const device = await registerPhone(running, { user });
  const paid = await send(running.service.url, epayCall({ path: pathOf(device, 'epay') }));
  expect(successOf(paid).status).toBe('ignored');
  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const secret = 'secret-of-the-domain';
  const ofDomain = sparkPaymentCall({ path, secret, user, id: 'aa'.repeat(32) });
  expect(successOf(await send(running.service.url, ofDomain)).status).toBe('ignored');
  expect(running.sandbox.received()).toEqual([]);
  const refusals = await refusalsOf(running);
  expect(refusals.map(({ code, deviceId }) => [code, deviceId])).toEqual([
    ['type_not_supported', device.id],
    ['type_not_supported', device.id],
  ]);
});

test('the device’s locale chooses the title, and the first language is for all others', async () => {
  const titles = {
    payment_received: { en: 'Incoming', de: 'Zahlung', 'zh-Hant': '付款' },
    tx_confirmed: 'One for all',
  };
  const running = await withSettings({ titles });
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN, locale: 'de-CH' });
  const titleIn = async (locale: string, hash: string) => {
    await changeDevice(running, device.id, { locale });
    expect(successOf(await wake(running, device, hash)).status).toBe('delivered');
    return running.sandbox.received().at(-1)?.title;
  };
  expect(await titleIn('de-CH', 'a1')).toBe('Zahlung');
  expect(await titleIn('DE', 'a2')).toBe('Zahlung');
  expect(await titleIn('zh-Hant-TW', 'a3')).toBe('付款');
  expect(await titleIn('zh', 'a4')).toBe('Incoming');
  expect(await titleIn('pt-BR', 'a5')).toBe('Incoming');
  // A token in the URL has no language.
  await post(running, notifyPath(IOS_TOKEN), PAYMENT('a6'));
  await post(running, notifyPath(IOS_TOKEN), body('tx_confirmed', { tx_id: 'a7' }));
  const titlesOf = running.sandbox.received().map(({ title }) => title);
  expect(titlesOf.slice(-2)).toEqual(['Incoming', 'One for all']);
});

test('each phone of a user gets the title in its own language', async () => {
  const user = createWallet(1).publicKey;
  const domains = { 'pay.example.com': { secrets: ['secret-of-the-domain'] } };
  const running = await withSettings(
    { titles: { spark_payment_received: { en: 'Received', fr: 'Reçu' } } },
    { NDS_SOURCES: JSON.stringify({ domains }) },
  );
  for (const [index, locale] of ['fr-FR', 'en', 'sv'].entries()) {
    await register(running, { platform: 'ios', token: `${IOS_TOKEN}0${index}`, user, locale });
  }
  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const secret = 'secret-of-the-domain';
  const call = sparkPaymentCall({ path, secret, user, id: 'aa'.repeat(32) });
  expect(successOf(await send(running.service.url, call)).status).toBe('delivered');
  const titles = running.sandbox.received().map(({ title }) => title);
  expect(titles.toSorted()).toEqual(['Received', 'Received', 'Reçu']);
});

test('a loc_key goes to iOS instead of the title, by APNs and by FCM, and survives a restart', async () => {
  const running = await withSettings({ titles: { payment_received: { loc_key: 'PAYMENT' } } });
  await post(running, notifyPath(IOS_TOKEN), PAYMENT('aa'));
  await post(running, `/notify?platform=ios&token=${FCM_ON_IOS}`, PAYMENT('bb'));
  running.sandbox.script({ provider: 'apns', times: 2, fault: { kind: 'refused_stream' } });
  await post(running, notifyPath(IOS_TOKEN), PAYMENT('cc'));
  await running.service.settled();
  await running.restart({ NDS_APPS: '{}' });
  const pushes = await running.sandbox.waitFor(() => true, 3);
  for (const push of pushes) {
    expect(alertOf(push)).toEqual({ 'title-loc-key': 'PAYMENT' });
    expect(push.title).toBeUndefined();
  }
});

test('the app’s own names of the keys are used on both platforms', async () => {
  const running = await withSettings({
    keys: { type: 'kind', payload: 'content', app_data: 'wallet' },
  });
  for (const [index, path] of [
    notifyPath(IOS_TOKEN, { app_data: 'w1' }),
    notifyPath(ANDROID_TOKEN, { app_data: 'w1' }),
    `/notify?platform=ios&token=${FCM_ON_IOS}&app_data=w1`,
  ].entries()) {
    expect((await post(running, path, PAYMENT(`a${index}`))).status).toBe(200);
  }
  for (const [index, { data }] of running.sandbox.received().entries()) {
    expect(data).toEqual({
      kind: 'payment_received',
      content: `{"payment_hash":"a${index}"}`,
      wallet: 'w1',
    });
  }
});

test('an app with priorities leaves the payment services’ news at normal, and its own types as configured', async () => {
  const running = await withSettings({ priorities: { tx_confirmed: 'normal' } });
  const device = await registerPhone(running);
  await send(running.service.url, epayCall({ path: pathOf(device, 'epay') }));
  await post(running, notifyPath(ANDROID_TOKEN), body('tx_confirmed', { tx_id: 'aa' }));
  await post(running, notifyPath(ANDROID_TOKEN), PAYMENT('bb'));
  await post(running, notifyPath(ANDROID_TOKEN), body('swap_updated', { id: 'cc', status: 'x' }));
  const priorities = running.sandbox
    .received()
    .map(({ data, fcm }) => [data.notification_type, fcm?.androidPriority]);
  expect(priorities).toEqual([
    ['payment_succeeded', 'normal'],
    ['tx_confirmed', 'normal'],
    ['payment_received', 'high'],
    ['swap_updated', 'high'],
  ]);
});

test('Google’s statistics count by type if the app wants it', async () => {
  const running = await withSettings({ analytics_label: true });
  await post(running, notifyPath(ANDROID_TOKEN), PAYMENT('aa'));
  const [push] = running.sandbox.received();
  expect(push?.fcm?.message.fcm_options).toEqual({ analytics_label: 'payment_received' });
});

test('lifetimes, rates and the token form are the app’s own, and those of others stay', async () => {
  const running = await setupWithApps(({ fcm }) => ({
    strict: {
      fcm: { credentials: fcm.serviceAccount, endpoint: fcm.url },
      lifetimes: { payment_received: '20s' },
      token_rate: '1/0.1',
    },
    closed: {
      fcm: { credentials: fcm.serviceAccount, endpoint: fcm.url },
      token_form: false,
    },
  }));
  const to = (app: string) => notifyPath(ANDROID_TOKEN, { app });
  expect((await post(running, to('strict'), PAYMENT('a1'))).status).toBe(200);
  const limited = await post(running, to('strict'), PAYMENT('a2'));
  expect(refusalOf(limited)).toBe('429 rate_limited');
  expect(problemOf(limited).detail).toContain('token_rate');
  for (const hash of ['a1', 'a2', 'a3']) {
    expect((await post(running, to('default'), PAYMENT(hash))).status).toBe(200);
  }
  const lives = running.sandbox.received().map(({ fcm }) => Number.parseFloat(fcm?.ttl ?? ''));
  expect(lives[0]).toBeLessThanOrEqual(20);
  expect(lives[1]).toBeGreaterThan(50);

  const refused = await post(running, to('closed'), PAYMENT('a4'));
  expect(refusalOf(refused)).toBe('404 not_found');
  const device = await registerPhone(running, { app: 'closed' });
  expect(successOf(await wake(running, device, 'a5')).status).toBe('delivered');
});

test('without an app `default` a call that names no app is 404, and the answer lists no names', async () => {
  const running = await setup();
  const { fcm } = running.sandbox;
  const credentials = { credentials: fcm.serviceAccount, endpoint: fcm.url };
  await running.restart({
    NDS_APPS: JSON.stringify({ 'the-only-one': { fcm: credentials } }),
    APNS_KEY: '',
    APNS_KEY_ID: '',
    APNS_TEAM_ID: '',
    APNS_TOPIC: '',
    APNS_ENVIRONMENT: '',
    GOOGLE_APPLICATION_CREDENTIALS_JSON: '',
  });
  for (const token of [ANDROID_TOKEN, IOS_TOKEN]) {
    const answer = await post(running, notifyPath(token), PAYMENT('aa'));
    expect(refusalOf(answer)).toBe('404 unknown_app');
    expect(answer.text).not.toContain('the-only-one');
  }
  const named = await post(
    running,
    notifyPath(ANDROID_TOKEN, { app: 'the-only-one' }),
    PAYMENT('aa'),
  );
  expect(named.status).toBe(200);
});

// Types in the settings of an app: types that callers name themselves, and the answers to callers that would repeat a
// type which the app does not know.

import { expect, test } from 'vitest';
import { setupWithApps } from '../support/apps.ts';
import { send } from '../support/callers.ts';
import { registerPhone, successOf } from '../support/device-calls.ts';
import { createWallet } from '../support/lightning-wallet.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../support/operator-calls.ts';
import { pathOf } from '../support/registry.ts';
import { IOS_TOKEN } from '../support/service.ts';
import { epayCall, sparkPaymentCall, standardCall } from '../support/signed-calls.ts';

test('a caller’s own type is configured, listed and tested under its name, capitals included', async () => {
  const own = 'Invoice_paid-out/V2';
  const running = await setupWithApps(
    () => ({
      default: { types: [own], titles: { [own]: 'Paid' }, priorities: { [own]: 'normal' } },
    }),
    { environment: { ...OPERATOR_ENVIRONMENT, NDS_LIFETIMES: `${own}=2h` } },
  );
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const device = await registerPhone(running, { secrets: { standard: [secret] } });
  const call = standardCall(
    { path: pathOf(device, 'standard'), secret },
    { nowMs: Date.now(), body: '{"type":"Invoice.paid-out/V2"}' },
  );
  const { id, status } = successOf(await send(running.service.url, call));
  expect(status).toBe('delivered');
  const [push] = running.sandbox.received();
  expect(push?.data.notification_type).toBe(own);
  expect(push?.fcm?.androidPriority).toBe('normal');
  await running.service.settled();
  const listed = await operate(running, { path: `/deliveries?type=${encodeURIComponent(own)}` });
  expect(told(listed)).toMatchObject({ deliveries: [{ id, type: own, lifetime_ms: 7_200_000 }] });
  const to = { platform: 'ios', token: IOS_TOKEN };
  const test = await operate(running, {
    method: 'POST',
    path: '/test-pushes',
    body: { to, type: own },
  });
  expect(told(test)).toMatchObject({ status: 'delivered', type: own });
  expect(running.sandbox.received().at(-1)?.title).toBe('Paid');
});

test('a type that can never be pushed is acknowledged to callers that would repeat it for months', async () => {
  const user = createWallet(1).publicKey;
  const secret = 'secret-of-the-domain';
  const lifetimes = { payment_succeeded: '60s', spark_payment_received: '60s' };
  const domains = { 'pay.example.com': { secrets: [secret] } };
  const settings = { types: ['payment_received'], lifetimes };
  const running = await setupWithApps(() => ({ default: settings }), {
    environment: { NDS_SOURCES: JSON.stringify({ domains }) },
  });
  const device = await registerPhone(running, { user });
  const path = '/api/v1/webhooks/spark_payment_received/pay.example.com';
  const calls = [
    epayCall({ path: pathOf(device, 'epay') }),
    sparkPaymentCall({ path, secret, user }),
  ];
  for (const call of calls) {
    const answer = successOf(await send(running.service.url, call));
    expect(answer).toMatchObject({ status: 'acknowledged', code: 'type_not_supported' });
  }
  expect(running.sandbox.received()).toEqual([]);
});

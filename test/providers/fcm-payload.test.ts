// What is sent to FCM: the message as the sandbox receives it, and the limit of 4,096 bytes.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createEncoder } from '../../src/providers/fcm/encoder.ts';
import { buildFcmPayload } from '../../src/providers/fcm/payload.ts';
import { messageTo, openProvider, openSandbox, TOKENS } from './support.ts';

function message(overrides: object = {}) {
  return { ...messageTo('fcm', TOKENS.fcm), ...overrides };
}

it('sends Android a data message of high priority that ends with its lifetime', async () => {
  const sandbox = await openSandbox();
  const { provider } = await openProvider('fcm', sandbox);
  const push = message({ appData: 'data', remainingMs: 41_500.7 });
  await provider.prepare(push).send({ timeoutMs: 2_000, trust: 'proven' });
  expect(sandbox.received()[0]?.fcm?.message).toEqual({
    token: TOKENS.fcm,
    data: {
      notification_type: 'payment_received',
      notification_payload: '{"payment_hash":"00"}',
      app_data: 'data',
    },
    android: { priority: 'high', ttl: '41.500000000s' },
  });
});

it('sends iOS an alert that starts the service extension', async () => {
  const sandbox = await openSandbox();
  const { provider } = await openProvider('fcm', sandbox);
  const push = message({ platform: 'ios', expiresAtUnixSeconds: 1_900_000_000 });
  await provider.prepare(push).send({ timeoutMs: 2_000, trust: 'proven' });
  expect(sandbox.received()[0]?.fcm?.message).toEqual({
    token: TOKENS.fcm,
    data: {
      notification_type: 'payment_received',
      notification_payload: '{"payment_hash":"00"}',
    },
    apns: {
      headers: {
        'apns-priority': '10',
        'apns-push-type': 'alert',
        'apns-expiration': '1900000000',
        'apns-collapse-id': push.id,
      },
      payload: { aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 } },
    },
  });
});

it('keeps an empty app_data and leaves an absent one out', () => {
  expect(buildFcmPayload(message({ appData: '' })).message.data).toHaveProperty('app_data', '');
  expect(buildFcmPayload(message()).message.data).not.toHaveProperty('app_data');
});

it('never sends a negative time to live', () => {
  expect(buildFcmPayload(message({ remainingMs: -5 })).message.android?.ttl).toBe(0);
});

it.each([
  ['a', 1],
  ['é', 2],
  ['€', 3],
  ['😀', 4],
  ['"', 1],
])('counts %j as its bytes in UTF-8 for Android', (character, bytes) => {
  const keys = 'notification_typenotification_payload'.length + 'payment_received'.length;
  const room = 4_096 - keys;
  const fits = 'x'.repeat(room % bytes) + character.repeat(Math.floor(room / bytes));
  expect(buildFcmPayload(message({ payload: fits })).excessBytes).toBe(0);
  expect(buildFcmPayload(message({ payload: `${fits}x` })).excessBytes).toBe(1);
});

it('counts what APNs gets for iOS', () => {
  const ios = { platform: 'ios', payload: '' };
  const empty = JSON.stringify({
    notification_type: 'payment_received',
    notification_payload: '',
    aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 },
  });
  const fits = '"'.repeat(Math.floor((4_096 - empty.length) / 2));
  const rest = 4_096 - empty.length - fits.length * 2;
  const full = fits + 'x'.repeat(rest);
  expect(buildFcmPayload(message({ ...ios, payload: full })).excessBytes).toBe(0);
  expect(buildFcmPayload(message({ ...ios, payload: `${full}x` })).excessBytes).toBe(1);
});

it('is taken by firebase-admin, whatever the text', async () => {
  const encoder = await createEncoder('project');
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string(), async (payload, appData) => {
      const platform = payload.length % 2 === 0 ? 'ios' : 'android';
      const built = buildFcmPayload(message({ payload, appData, platform }));
      const { body } = await encoder.encode(built.message);
      expect(JSON.parse(body)).toMatchObject({
        message: { data: { notification_payload: payload, app_data: appData } },
      });
    }),
  );
  await encoder.close();
});

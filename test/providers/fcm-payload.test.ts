// What is sent to FCM: the message as the sandbox receives it, and the limit of 4,096 bytes.
// wire-format.test.ts compares its bytes with firebase-admin's.

import { expect, it } from 'vitest';
import { DEFAULT_FORMAT } from '../../src/core/push-format.ts';
import { buildFcmPayload } from '../../src/providers/fcm/payload.ts';
import { messageTo, openProvider, openSandbox, SEND_OPTIONS, TOKENS } from './support.ts';

function message(overrides: object = {}) {
  return { ...messageTo('fcm', TOKENS.fcm), ...overrides };
}

function sent(overrides: object = {}): { readonly data: object; readonly android?: object } {
  return JSON.parse(buildFcmPayload(message(overrides)).body).message;
}

it('sends Android a data message of high priority that ends with its lifetime', async () => {
  const sandbox = await openSandbox();
  const { provider } = await openProvider('fcm', sandbox);
  const push = message({ appData: 'data', remainingMs: 41_500.7 });
  await provider.prepare(push).send(SEND_OPTIONS);
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
  await provider.prepare(push).send(SEND_OPTIONS);
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
  expect(sent({ appData: '' }).data).toHaveProperty('app_data', '');
  expect(sent().data).not.toHaveProperty('app_data');
});

it('never sends a negative time to live', () => {
  expect(sent({ remainingMs: -5 }).android).toMatchObject({ ttl: '0s' });
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

it('labels types that callers name themselves as one, and the built-in ones by their name', () => {
  const labelOf = (type: string) => {
    const format = { ...DEFAULT_FORMAT, hasAnalyticsLabel: true };
    return JSON.parse(buildFcmPayload(message({ type }), format).body).message.fcm_options;
  };
  expect(labelOf('swap_updated')).toEqual({ analytics_label: 'swap_updated' });
  for (const type of ['order shipped', 'constructor', 'x'.repeat(60)]) {
    expect(labelOf(type)).toEqual({ analytics_label: 'other' });
  }
});

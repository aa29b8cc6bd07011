// What is sent to APNs: headers, body, and the limit of 4,096 bytes. wire-format.test.ts compares them with
// node-apn's.

import { expect, it } from 'vitest';
import { buildApnsPayload } from '../../src/providers/apns/payload.ts';
import fc, { anyText } from '../support/properties.ts';
import { messageTo, TOKENS } from './support.ts';

const TOPIC = 'com.example.wallet';

function message(overrides: object = {}) {
  return { ...messageTo('apns', TOKENS.apns), ...overrides };
}

it('asks for an alert that starts the service extension', () => {
  const push = message({ appData: 'data', expiresAtUnixSeconds: 1_800_000_000 });
  const { headers, body } = buildApnsPayload(push, TOPIC);
  expect(headers).toEqual({
    'apns-id': push.id,
    'apns-collapse-id': push.id,
    'apns-topic': TOPIC,
    'apns-push-type': 'alert',
    'apns-priority': '10',
    'apns-expiration': '1800000000',
  });
  expect(JSON.parse(body)).toEqual({
    aps: { alert: { title: 'Incoming payment' }, 'mutable-content': 1 },
    notification_type: 'payment_received',
    notification_payload: '{"payment_hash":"00"}',
    app_data: 'data',
  });
});

it('keeps an empty app_data and leaves an absent one out', () => {
  expect(buildApnsPayload(message({ appData: '' }), TOPIC).body).toContain('"app_data":""');
  expect(buildApnsPayload(message(), TOPIC).body).not.toContain('app_data');
});

it.each([
  ['a', 1],
  ['é', 2],
  ['€', 3],
  ['😀', 4],
  ['"', 2],
])('counts %j as the bytes it takes in JSON', (character, bytes) => {
  const empty = buildApnsPayload(message({ payload: '' }), TOPIC);
  const room = 4_096 - Buffer.byteLength(empty.body);
  const filler = 'x'.repeat(room % bytes);
  const fits = filler + character.repeat(Math.floor(room / bytes));
  const full = buildApnsPayload(message({ payload: fits }), TOPIC);
  expect(Buffer.byteLength(full.body)).toBe(4_096);
  expect(full.excessBytes).toBe(0);
  expect(buildApnsPayload(message({ payload: `${fits}x` }), TOPIC).excessBytes).toBe(1);
});

it('measures what it sends, whatever the text', () => {
  fc.assert(
    fc.property(anyText({ maxLength: 3_000 }), fc.string(), (payload, title) => {
      const { body, excessBytes } = buildApnsPayload(message({ payload, title }), TOPIC);
      expect(excessBytes).toBe(Math.max(0, Buffer.byteLength(body) - 4_096));
    }),
  );
});

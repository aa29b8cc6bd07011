// Our own `standard` door as the endpoint of another nds: it accepts that service's signatures, v1 and v1a, and wakes a
// phone.

import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { registerPhone } from '../../support/device-calls.ts';
import { OPERATOR_ENVIRONMENT } from '../../support/operator-calls.ts';
import { ANDROID_TOKEN, setup } from '../../support/service.ts';

const HMAC = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;

/** A private key as `NDS_ENDPOINTS` takes it, and its public key as a device's secrets take it. */
function ed25519(): { readonly signing: string; readonly verifying: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const base64 = (text: string) => Buffer.from(text, 'base64url').toString('base64');
  return { signing: `whsk_${base64(d)}`, verifying: `whpk_${base64(x)}` };
}

const pair = ed25519();

test.each([
  { scheme: 'v1', secret: HMAC, known: HMAC },
  { scheme: 'v1a', secret: pair.signing, known: pair.verifying },
])('a door takes events signed by $scheme', async ({ secret, known }) => {
  const door = await setup({ environment: OPERATOR_ENVIRONMENT });
  const token = 'operators-phone:APA91b';
  const device = await registerPhone(door, { token, secrets: { standard: [known] } });
  const { pathname } = new URL(device.urls.standard ?? '');
  const endpoint = {
    ...{ name: 'phone', url: `${door.service.url}${pathname}`, secret },
    enabled_events: ['delivery.unregistered'],
  };
  const told = await setup({
    environment: {
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
      NDS_ENDPOINTS: JSON.stringify([endpoint]),
    },
  });
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  told.sandbox.script({ provider: 'fcm', times: 1, fault });
  await told.notify(ANDROID_TOKEN, 'aa');

  const [sent] = await told.log.waitFor(({ name }) => name === 'event_sent');
  expect(sent).toMatchObject({ type: 'delivery.unregistered', outcome: 'delivered' });
  const [push] = await door.sandbox.waitFor((one) => one.token === token, 1);
  expect(push?.data.notification_type).toBe('delivery_unregistered');
  expect(push?.data.notification_payload).toContain('token_sha256');
});

test('a door with another secret refuses them', async () => {
  const door = await setup({ environment: OPERATOR_ENVIRONMENT });
  const device = await registerPhone(door, { secrets: { standard: [ed25519().verifying] } });
  const { pathname } = new URL(device.urls.standard ?? '');
  const url = `${door.service.url}${pathname}`;
  const told = await setup({
    environment: {
      NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
      NDS_ENDPOINTS: JSON.stringify([
        {
          name: 'phone',
          url,
          secret: pair.signing,
          enabled_events: ['delivery.expired', 'delivery.unregistered'],
        },
      ]),
    },
  });
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  told.sandbox.script({ provider: 'fcm', times: 1, fault });
  await told.notify(ANDROID_TOKEN, 'aa');
  const [sent] = await told.log.waitFor(({ name }) => name === 'event_sent');
  expect(sent).toMatchObject({ outcome: 'refused' });
  expect(door.sandbox.received()).toEqual([]);
});

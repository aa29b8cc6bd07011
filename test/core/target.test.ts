import { expect, test } from 'vitest';
import { createTarget, providerFor, tokenFault, tokenKey } from '../../src/core/target.ts';
import { MISSENT_TOKENS } from '../support/missent-tokens.ts';
import fc from '../support/properties.ts';

const HEX = '740f4707bebcf74f9b7c25d48e3358945f6aa01da5ddb387462c7eaf61bb78ad';
const FCM = 'dQw4w9WgXcQ-Ex_1:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx';

test.each(MISSENT_TOKENS)('%j is not a push token on either platform', (token) => {
  for (const platform of ['ios', 'android'] as const) {
    const fault = tokenFault(platform, token);
    expect(fault).toMatch(/is not a push token/);
    expect(fault).not.toContain(token);
  }
});

test('takes the forms that Apple and Google issue', () => {
  for (const token of [HEX, HEX.toUpperCase(), 'ab'.repeat(80)]) {
    expect(tokenFault('ios', token)).toBeUndefined();
    expect(providerFor('ios', token)).toBe('apns');
  }
  // A registration token, the old form of one, and a Firebase installation id.
  for (const token of [FCM, `APA91b${'x_-9'.repeat(30)}`, 'fR2tGk1sTq-ZbX_0yVwA4d']) {
    for (const platform of ['ios', 'android'] as const) {
      expect(tokenFault(platform, token)).toBeUndefined();
      expect(providerFor(platform, token)).toBe('fcm');
    }
  }
});

test('an APNs token is one token however its hex digits are written', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }),
      (bytes, capitals) => {
        const lower = Buffer.from(bytes).toString('hex');
        const token = [...lower].map((digit, at) => (capitals[at] ? digit.toUpperCase() : digit));
        const target = createTarget({ app: 'default', platform: 'ios', token: token.join('') });
        expect(target.token).toBe(lower);
        expect(tokenKey(createTarget(target))).toBe(tokenKey(target));
      },
    ),
  );
});

test('an FCM token keeps its upper-case letters', () => {
  for (const platform of ['ios', 'android'] as const) {
    expect(createTarget({ app: 'default', platform, token: FCM }).token).toBe(FCM);
  }
});

test('only an APNs token has an environment, and the sandbox is a key of its own', () => {
  const apns = { app: 'a', platform: 'ios', token: 'AB' } as const;
  const inSandbox = createTarget({ ...apns, environment: 'sandbox' });
  expect(inSandbox.environment).toBe('sandbox');
  expect(tokenKey(inSandbox)).not.toBe(tokenKey(createTarget(apns)));
  const inProduction = createTarget({ ...apns, environment: 'production' });
  expect(tokenKey(inProduction)).toBe(tokenKey(createTarget(apns)));
  const fcm = createTarget({ ...apns, token: 'fcm:token', environment: 'sandbox' });
  expect(fcm).not.toHaveProperty('environment');
});

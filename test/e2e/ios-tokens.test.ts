// iOS tokens as callers and apps write them: an invalid token is the caller's fault, and upper case does not make
// another token.

import { expect, test } from 'vitest';
import { problemOf, refusalOf, send } from '../support/callers.ts';
import {
  callRegistry,
  changeDevice,
  deviceOf,
  faultyFields,
  paymentBody,
} from '../support/device-calls.ts';
import { HOUR, MINUTE, setupDriven } from '../support/driven-service.ts';
import { MISSENT_TOKENS } from '../support/missent-tokens.ts';
import { REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import { IOS_TOKEN, notifyPath } from '../support/service.ts';

const CAPITALS = IOS_TOKEN.toUpperCase();
const WITHOUT_FCM = {
  ...REGISTRY_ENVIRONMENT,
  GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined,
  FCM_ENDPOINT: undefined,
};

test('an invalid push token is 400 at the door and in the registry, with or without FCM', async () => {
  for (const environment of [REGISTRY_ENVIRONMENT, WITHOUT_FCM]) {
    const { running, rows } = await setupDriven({ environment });
    const { id } = await register(running, { platform: 'ios', token: IOS_TOKEN });
    for (const token of MISSENT_TOKENS) {
      const query = new URLSearchParams({ platform: 'ios', token });
      const path = `/api/v1/notify?${query}`;
      const answer = await send(running.service.url, { path, body: paymentBody('aa') });
      expect(refusalOf(answer), token).toBe('400 bad_query');
      expect(problemOf(answer).errors, token).toEqual([
        { field: 'token', message: expect.stringMatching(/is not a push token/) },
      ]);
      const calls = [
        { method: 'POST', body: { platform: 'ios', token } },
        { method: 'PATCH', path: `/${id}`, body: { token } },
        { method: 'PUT', path: `/${id}/token`, body: { token } },
      ];
      for (const call of calls) {
        const refused = await callRegistry(running, call);
        expect(refusalOf(refused), token).toBe('400 bad_body');
        expect(faultyFields(refused), token).toEqual(['token']);
      }
    }
    expect(await rows()).toEqual([]);
    expect(running.sandbox.requests().filter(({ token }) => token !== undefined)).toEqual([]);
  }
});

test('a repeat with the token in upper case is a duplicate, and Apple gets lower case', async () => {
  const { running, pay, rows } = await setupDriven();
  expect((await pay(CAPITALS, 'aa')).status).toBe(200);
  expect((await pay(IOS_TOKEN, 'aa')).status).toBe(200);
  expect((await pay(CAPITALS, 'aa')).status).toBe(200);
  expect(await rows()).toHaveLength(1);
  expect(running.sandbox.received().map(({ token }) => token)).toEqual([IOS_TOKEN]);
});

test('upper and lower case share the rate of a token', async () => {
  const { pay } = await setupDriven({ environment: { NDS_TOKEN_RATE: '2/0.001' } });
  expect((await pay(IOS_TOKEN, 'aa')).status).toBe(200);
  expect((await pay(CAPITALS, 'bb')).status).toBe(200);
  const mixed = IOS_TOKEN.replace('f', 'F');
  expect((await pay(mixed, 'cc')).status).toBe(429);
});

test('a dead token is recognised in upper case, too', async () => {
  const { running, pay, asked } = await setupDriven();
  const reason = { kind: 'reason', reason: 'Unregistered' } as const;
  running.sandbox.script({ provider: 'apns', fault: reason });
  expect((await pay(IOS_TOKEN, 'aa')).status).toBe(410);
  expect((await pay(CAPITALS, 'bb')).status).toBe(410);
  expect(asked()).toBe(1);
});

test('a device is the same with its token in upper case', async () => {
  const { running, clock } = await setupDriven({ environment: REGISTRY_ENVIRONMENT });
  const body = { platform: 'ios', token: CAPITALS, user: 'alice' };
  const device = await register(running, body);
  expect((await register(running, { ...body, token: IOS_TOKEN })).id).toBe(device.id);
  const before = deviceOf(await callRegistry(running, { path: `/${device.id}` }));
  clock.advance(HOUR + MINUTE);
  // A changed token is a sign of life, but another spelling is not another token.
  const changed = await changeDevice(running, device.id, { token: CAPITALS });
  expect(changed).toEqual(before);
  const path = notifyPath(CAPITALS);
  expect((await send(running.service.url, { path, body: paymentBody('aa') })).status).toBe(200);
  expect(running.sandbox.received().map(({ token }) => token)).toEqual([IOS_TOKEN]);
});

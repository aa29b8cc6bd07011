// The APNs key: what the operator reads about a wrong one, and when the provider token is renewed.

import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { sharedIdentity } from '../../sandbox/identity.ts';
import { createApnsProvider } from '../../src/providers/apns/apns-provider.ts';
import {
  checkApnsKey,
  checkApnsKeyId,
  checkApnsTeamId,
  checkApnsTopic,
  ProviderToken,
} from '../../src/providers/apns/provider-token.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openProvider, openSandbox } from './support.ts';

const APPLE = 'https://api.push.apple.com';
const MINUTE = 60_000;
const { apnsKey: GOOD, serviceAccountKey: RSA } = await sharedIdentity();
const SEC1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'sec1',
  format: 'pem',
});
const P384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
});

it('accepts the key as Apple hands it out', () => {
  expect(checkApnsKey(GOOD)).toBeUndefined();
  expect(checkApnsKey(GOOD.replaceAll('\n', '\r\n'))).toBeUndefined();
});

it.each([
  ['a path', '/run/secrets/AuthKey_ABC.p8', /content of the AuthKey/],
  ['nothing', '', /is not PEM/],
  ['bare base64', 'MIGTAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBHkwdwIBAQQg', /is not PEM/],
  ['spelled-out line breaks', GOOD.replaceAll('\n', '\\n'), /replace each by a line break/],
  ['no line breaks', GOOD.replaceAll('\n', ' '), /lost its line breaks/],
  ['a key in another form', String(SEC1), /PKCS#8/],
  ['an RSA key', RSA, /not an APNs key/],
  ['another curve', String(P384), /not an APNs key/],
  ['half a key', GOOD.replace(/\n.{20}/, '\n'), /copy the AuthKey/],
])('says how to fix %s, without repeating it', (_name, pem, expected) => {
  const fault = checkApnsKey(pem);
  expect(fault).toMatch(expected);
  for (const line of pem.split('\n').filter((text) => text.length > 30 && !text.startsWith('-'))) {
    expect(fault).not.toContain(line.slice(0, 20));
  }
});

it('checks the ids and the topic', () => {
  expect(checkApnsKeyId('ABCDE12345')).toBeUndefined();
  expect(checkApnsKeyId('ABCDE1234')).toMatch(/10 capital letters and digits/);
  expect(checkApnsTeamId('abcde12345')).toMatch(/10 capital letters and digits/);
  expect(checkApnsTopic('com.example.wallet')).toBeUndefined();
  expect(checkApnsTopic('com.example wallet')).toMatch(/bundle id/);
});

it('names every fault of a configuration at once', () => {
  const clock = new ManualClock();
  expect(() =>
    createApnsProvider({ key: 'x', keyId: 'y', teamId: 'z', topic: '', clock, endpoint: APPLE }),
  ).toThrow(/APNs key is not PEM.*; APNs key id .*; APNs team id .*; APNs topic /);
  const good = { key: GOOD, keyId: 'ABCDE12345', teamId: 'ABCDE12345', topic: 'com.example' };
  expect(() => createApnsProvider({ ...good, clock, endpoint: 'http://localhost' })).toThrow(
    /endpoint must be https/,
  );
});

function setup() {
  const clock = new ManualClock(Date.now());
  const token = new ProviderToken({ key: GOOD, keyId: 'ABCDE12345', teamId: 'TEAM567890' }, clock);
  return { clock, token };
}

it('signs what Apple asks for', () => {
  const { token } = setup();
  const [header = '', claims = ''] = token.current.split('.');
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  expect(decode(header)).toMatchObject({ alg: 'ES256', kid: 'ABCDE12345' });
  expect(decode(claims)).toEqual({ iss: 'TEAM567890', iat: expect.any(Number) });
});

it('keeps a provider token for 50 minutes', () => {
  const { clock, token } = setup();
  const first = token.current;
  clock.advance(50 * MINUTE - 1);
  expect(token.current).toBe(first);
  clock.advance(1);
  expect(token.current).not.toBe(first);
});

it('signs again when Apple calls a token expired, at most every 20 minutes', () => {
  const { clock, token } = setup();
  const first = token.current;
  clock.advance(20 * MINUTE - 1);
  expect(token.replaceExpired(first)).toBe(false);
  expect(token.current).toBe(first);
  clock.advance(1);
  expect(token.replaceExpired(first)).toBe(true);
  const second = token.current;
  expect(second).not.toBe(first);
  // The other attempts that were under way with the old one.
  expect(token.replaceExpired(first)).toBe(true);
  expect(token.current).toBe(second);
  expect(token.replaceExpired(second)).toBe(false);
});

it('signs again if the wall clock was set since', () => {
  const { clock, token } = setup();
  const first = token.current;
  clock.jump(2 * 60 * MINUTE);
  expect(token.replaceExpired(first)).toBe(true);
  expect(token.replaceExpired(token.current)).toBe(false);
});

it('turns the first expired provider token into a free retry, a second one into a wrong clock', async () => {
  const clock = new ManualClock(Date.now() - 25 * MINUTE);
  const sandbox = await openSandbox();
  const { send } = await openProvider('apns', sandbox, { clock });
  await send();
  clock.advance(25 * MINUTE);
  sandbox.script({
    provider: 'apns',
    times: 2,
    fault: { kind: 'reason', reason: 'ExpiredProviderToken' },
  });
  const reason = 'ExpiredProviderToken';
  expect(await send()).toEqual({ kind: 'retry', reason, certainty: 'not_processed' });
  expect(await send()).toEqual({ kind: 'misconfigured', reason });
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

// Two keys during a rotation: pushes that Apple refuses with the first key are sent with the second at once, and the
// first is tried again later. The stand-in knows only one of the two keys.

import { generateKeyPairSync } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { createApnsProvider } from '../../src/providers/apns/apns-provider.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { messageTo, openSandbox, SEND_OPTIONS, TOKENS } from './support.ts';

const { privateKey: STRANGE_KEY } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const STRANGE = { key: STRANGE_KEY, keyId: 'NOTKNOWN99' };
const MINUTE = 60_000;

type Keys = 'known first' | 'known second' | 'both unknown';

async function open(keys: Keys) {
  const sandbox = await openSandbox();
  const clock = new ManualClock(Date.now());
  const { key, keyId, teamId, topic, url } = sandbox.apns;
  const known = { key, keyId };
  const first = keys === 'known first' ? known : STRANGE;
  const secondKey = keys === 'known second' ? known : { ...STRANGE, keyId: 'NOTKNOWN98' };
  const provider = createApnsProvider({
    ...first,
    secondKey,
    teamId,
    topic,
    endpoint: url,
    ca: sandbox.ca,
    clock,
  });
  onTestFinished(() => provider.close());
  const send = () => provider.prepare(messageTo('apns', TOKENS.apns)).send(SEND_OPTIONS);
  const refusals = () => sandbox.requests().filter(({ status }) => status === 403).length;
  return { sandbox, clock, provider, send, refusals };
}

it('sends with the second key at once what Apple refuses with the first, and later pushes, too', async () => {
  const { provider, send, refusals, sandbox } = await open('known second');
  for (let pushes = 1; pushes <= 3; pushes += 1) {
    expect(await send()).toMatchObject({ kind: 'delivered' });
    expect(sandbox.received()).toHaveLength(pushes);
    expect(refusals()).toBe(1);
  }
  const { ready, detail } = provider.health();
  expect(ready).toBe(true);
  // The connections of both keys, and a new one that replaces the first key's, which the refusal ended.
  expect(provider.traffic()).toMatchObject({ connectionsOpened: 3, connectionsFailed: 0 });
  expect(detail).toMatch(/InvalidProviderToken.*first key \(NOTKNOWN99\).*second/);
});

it('tries the first key again after ten minutes', async () => {
  const { clock, send, refusals } = await open('known second');
  await send();
  clock.advance(9 * MINUTE);
  await send();
  expect(refusals()).toBe(1);
  clock.advance(2 * MINUTE);
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(refusals()).toBe(2);
});

it('never sends with the second key what the provider may have taken with the first', async () => {
  const { clock, sandbox, send } = await open('known second');
  await send();
  clock.advance(11 * MINUTE);
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'ServiceUnavailable' } });
  expect(await send()).toMatchObject({ kind: 'retry', reason: 'ServiceUnavailable' });
  expect(sandbox.received()).toHaveLength(1);
});

it('never uses the second key while the first is valid', async () => {
  const { provider, send, refusals } = await open('known first');
  for (let pushes = 1; pushes <= 3; pushes += 1) await send();
  expect(refusals()).toBe(0);
  expect(provider.health()).toEqual({ ready: true });
});

it('reports refused credentials only if both keys are refused', async () => {
  const { provider, send, sandbox } = await open('both unknown');
  for (let pushes = 1; pushes <= 2; pushes += 1) {
    expect(await send()).toEqual({ kind: 'misconfigured', reason: 'InvalidProviderToken' });
  }
  expect(sandbox.received()).toEqual([]);
  expect(provider.health().ready).toBe(false);
});

it('does not try the second key for failures of the token or the provider', async () => {
  const { sandbox, provider, send } = await open('known first');
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'BadDeviceToken' } });
  expect(await send()).toMatchObject({ kind: 'rejected', reason: 'BadDeviceToken' });
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'ServiceUnavailable' } });
  expect(await send()).toMatchObject({ kind: 'retry', reason: 'ServiceUnavailable' });
  expect(sandbox.requests().filter(({ provider }) => provider === 'apns')).toHaveLength(2);
  expect(provider.name).toBe('apns');
});

it('names the key that cannot be read', () => {
  const options = {
    ...STRANGE,
    teamId: 'DEF123GHIJ',
    topic: 'com.example.wallet',
    endpoint: 'https://127.0.0.1:1',
    clock: new ManualClock(),
  };
  const secondKey = { key: 'no key', keyId: 'short' };
  expect(() => createApnsProvider({ ...options, secondKey })).toThrow(
    /^second APNs key is not PEM.*; second APNs key id must be/,
  );
});

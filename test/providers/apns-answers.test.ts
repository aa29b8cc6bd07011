// Every answer of APNs and its meaning, as the sandbox gives it over the wire; and the pure table for answers that the
// sandbox cannot give.

import { expect, it } from 'vitest';
import { apnsReasons } from '../../sandbox/apns/reasons.ts';
import { APNS_REASONS, apnsRemedyFor, readApnsAnswer } from '../../src/providers/apns/response.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { connected, openProvider, openSandbox, TOKENS } from './support.ts';

const MEANINGS: Readonly<Record<string, object>> = {
  BadCollapseId: { kind: 'rejected', blame: 'message' },
  BadDeviceToken: { kind: 'rejected', blame: 'token' },
  BadExpirationDate: { kind: 'rejected', blame: 'message' },
  BadMessageId: { kind: 'rejected', blame: 'message' },
  BadPriority: { kind: 'rejected', blame: 'message' },
  BadTopic: { kind: 'misconfigured' },
  DeviceTokenNotForTopic: { kind: 'rejected', blame: 'sender' },
  DuplicateHeaders: { kind: 'rejected', blame: 'message' },
  IdleTimeout: { kind: 'retry', certainty: 'answered' },
  InvalidPushType: { kind: 'rejected', blame: 'message' },
  MissingDeviceToken: { kind: 'rejected', blame: 'message' },
  MissingTopic: { kind: 'misconfigured' },
  PayloadEmpty: { kind: 'rejected', blame: 'message' },
  TopicDisallowed: { kind: 'misconfigured' },
  BadCertificate: { kind: 'misconfigured' },
  BadCertificateEnvironment: { kind: 'misconfigured' },
  BadEnvironmentKeyIdInToken: { kind: 'misconfigured' },
  BadEnvironmentKeyInToken: { kind: 'misconfigured' },
  ExpiredProviderToken: { kind: 'misconfigured' },
  Forbidden: { kind: 'misconfigured' },
  InvalidProviderToken: { kind: 'misconfigured' },
  MissingProviderToken: { kind: 'misconfigured' },
  UnrelatedKeyIdInToken: { kind: 'misconfigured' },
  BadPath: { kind: 'rejected', blame: 'message' },
  MethodNotAllowed: { kind: 'rejected', blame: 'message' },
  ExpiredToken: { kind: 'unregistered', sinceMs: 1_700_000_000_000 },
  Unregistered: { kind: 'unregistered', sinceMs: 1_700_000_000_000 },
  PayloadTooLarge: { kind: 'rejected', blame: 'message' },
  TooManyProviderTokenUpdates: { kind: 'retry', certainty: 'answered' },
  TooManyRequests: { kind: 'retry', certainty: 'throttled_token' },
  InternalServerError: { kind: 'retry', certainty: 'answered' },
  ServiceUnavailable: { kind: 'retry', certainty: 'answered' },
  Shutdown: { kind: 'retry', certainty: 'answered' },
};

it('knows every reason that Apple documents, and no other', () => {
  expect(Object.keys(APNS_REASONS).sort()).toEqual(Object.keys(apnsReasons).sort());
  expect(Object.keys(MEANINGS).sort()).toEqual(Object.keys(apnsReasons).sort());
});

it('translates every reason of Apple, over the wire', async () => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('apns', sandbox);
  for (const [reason, meaning] of Object.entries(MEANINGS)) {
    sandbox.script({
      provider: 'apns',
      fault: { kind: 'reason', reason, timestampMs: 1_700_000_000_000 },
    });
    expect(await send(), reason).toEqual({ reason, ...meaning });
  }
  expect(await send()).toMatchObject({ kind: 'delivered' });
});

it('tells the operator what to do about every reason that needs an action', () => {
  for (const [reason, { meaning, remedy }] of Object.entries(APNS_REASONS)) {
    if (meaning === 'misconfigured') expect(remedy, reason).toMatch(/\.$/);
  }
  expect(apnsRemedyFor('constructor')).toBeUndefined();
  expect(apnsRemedyFor('BadDeviceToken')).toBeUndefined();
});

it('returns Retry-After', async () => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('apns', sandbox);
  sandbox.script({
    provider: 'apns',
    fault: { kind: 'reason', reason: 'TooManyRequests', retryAfterSeconds: 12 },
  });
  expect(await send()).toEqual({
    kind: 'retry',
    reason: 'TooManyRequests',
    certainty: 'throttled_token',
    retryAfterMs: 12_000,
  });
});

it('reports broken credentials as health and forgets it with the next success', async () => {
  const sandbox = await openSandbox();
  const { send, provider } = await openProvider('apns', sandbox);
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'InvalidProviderToken' } });
  await send();
  // That the connection is open proves nothing about the key.
  await provider.warm();
  expect(provider.health()).toEqual({
    ready: false,
    detail:
      'InvalidProviderToken: Check key, key id and team id, that the key was not revoked, and the clock of this machine.',
  });
  await send();
  expect(provider.health()).toEqual({ ready: true });
});

it('neither a bad token nor an outage of Apple changes the health', async () => {
  const sandbox = await openSandbox();
  const { send, provider } = await openProvider('apns', sandbox);
  await send();
  for (const reason of ['BadDeviceToken', 'DeviceTokenNotForTopic', 'Unregistered', 'Shutdown']) {
    sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason } });
    await send();
    expect(provider.health()).toEqual({ ready: true });
  }
});

it('tries refused credentials on a new connection, but not more often than once a minute', async () => {
  const clock = new ManualClock(Date.now());
  const sandbox = await openSandbox();
  const { send, events } = await openProvider('apns', sandbox, { clock });
  sandbox.script({
    provider: 'apns',
    times: 4,
    fault: { kind: 'reason', reason: 'TopicDisallowed' },
  });
  for (let round = 0; round < 3; round += 1) await send();
  expect(connected(events)).toBe(2);
  clock.advance(60_000);
  await send();
  await send();
  expect(connected(events)).toBe(3);
});

it('keeps the connection of proven tokens when Apple closes the one of strangers’ tokens', async () => {
  const sandbox = await openSandbox({ closeAfterBadTokens: 3 });
  const { send, events } = await openProvider('apns', sandbox);
  await send();
  sandbox.script({
    provider: 'apns',
    token: 'ff'.repeat(32),
    times: 3,
    fault: { kind: 'reason', reason: 'BadDeviceToken' },
  });
  for (let round = 0; round < 3; round += 1) {
    await send({ token: 'ff'.repeat(32), trust: 'unproven' });
  }
  await send();
  expect(events.filter(({ kind }) => kind === 'connection_ended')).toMatchObject([
    { trust: 'unproven', why: 'goaway' },
  ]);
});

it.each(['', 'abc', 'zz', '../../3/device/aa', `${TOKENS.apns}?x=1`, 'ab'.repeat(101)])(
  'never puts %j into a path',
  async (token) => {
    const sandbox = await openSandbox();
    const { send } = await openProvider('apns', sandbox);
    expect(await send({ token })).toEqual({
      kind: 'rejected',
      reason: 'token_not_hex',
      blame: 'token',
    });
    expect(sandbox.requests()).toEqual([]);
  },
);

it.each([
  [400, { kind: 'rejected', reason: 'status_400', blame: 'message' }],
  [403, { kind: 'misconfigured', reason: 'status_403' }],
  [404, { kind: 'rejected', reason: 'status_404', blame: 'message' }],
  [408, { kind: 'retry', reason: 'status_408', certainty: 'answered' }],
  [410, { kind: 'unregistered', reason: 'status_410' }],
  [413, { kind: 'rejected', reason: 'status_413', blame: 'message' }],
  [429, { kind: 'retry', reason: 'status_429', certainty: 'throttled' }],
  [502, { kind: 'retry', reason: 'status_502', certainty: 'answered' }],
  [302, { kind: 'retry', reason: 'status_302', certainty: 'answered' }],
])('reads an unknown reason with %i by the status', (status, outcome) => {
  for (const body of ['{"reason":"NewIn2031"}', '<html>', '', '[]', '{"reason":7}', 'null']) {
    expect(readApnsAnswer({ status, headers: {}, body }, 0)).toEqual(outcome);
  }
});

it('only a 410 makes a token dead, and no text of the provider is passed on', () => {
  expect(
    readApnsAnswer({ status: 400, headers: {}, body: '{"reason":"Unregistered"}' }, 0),
  ).toEqual({ kind: 'rejected', reason: 'Unregistered', blame: 'message' });
  expect(readApnsAnswer({ status: 410, headers: {}, body: '{"reason":"toString"}' }, 0)).toEqual({
    kind: 'unregistered',
    reason: 'status_410',
  });
  expect(readApnsAnswer({ status: 200, headers: { 'apns-id': 'not an id' }, body: '' }, 0)).toEqual(
    { kind: 'delivered' },
  );
});

it('prefers the id that Apple’s push console uses', () => {
  const headers = { 'apns-id': 'aaaa-1', 'apns-unique-id': 'bbbb-2' };
  expect(readApnsAnswer({ status: 200, headers, body: '' }, 0)).toEqual({
    kind: 'delivered',
    messageId: 'bbbb-2',
  });
});

const NOW_MS = Date.UTC(2026, 10, 26);
const DAY_MS = 86_400_000;

it.each([
  '9223372036854775807',
  '1e308',
  '-1e19',
  '0.5',
  '1796000000000.5',
  '0',
  '"1700000000000"',
  'null',
  '{}',
  String(Date.UTC(2007, 11, 31)),
  String(NOW_MS + DAY_MS + 1),
])('drops %s as the time when a token died', (timestamp) => {
  const body = `{"reason":"Unregistered","timestamp":${timestamp}}`;
  expect(readApnsAnswer({ status: 410, headers: {}, body }, NOW_MS)).toEqual({
    kind: 'unregistered',
    reason: 'Unregistered',
  });
});

it.each([Date.UTC(2008, 0), NOW_MS, NOW_MS + DAY_MS])(
  'keeps %i as the time when a token died',
  (sinceMs) => {
    const body = JSON.stringify({ reason: 'ExpiredToken', timestamp: sinceMs });
    expect(readApnsAnswer({ status: 410, headers: {}, body }, NOW_MS)).toEqual({
      kind: 'unregistered',
      reason: 'ExpiredToken',
      sinceMs,
    });
  },
);

it('says why Apple holds back all pushes, and what to do', async () => {
  const sandbox = await openSandbox();
  const { send, provider } = await openProvider('apns', sandbox);
  await send();
  const reason = 'TooManyProviderTokenUpdates';
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason } });
  expect(await send()).toEqual({ kind: 'retry', reason, certainty: 'answered' });
  expect(provider.health()).toEqual({
    ready: false,
    detail: expect.stringMatching(/^TooManyProviderTokenUpdates: .*clock.*another service/),
  });
  // That a new connection opens proves nothing about it.
  await provider.warm();
  expect(provider.health().ready).toBe(false);
  await send();
  expect(provider.health()).toEqual({ ready: true });
});

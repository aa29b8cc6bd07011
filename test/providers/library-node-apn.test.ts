// Why node-apn does not send our pushes: what its transport does, compared with ours, in the same situation.
// docs/decisions/0001-own-http2-transport.md depends on these tests; if one fails, read it again.

import { Notification, Provider } from '@parse/node-apn';
import { expect, it, onTestFinished } from 'vitest';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openProvider, openSandbox, TOKENS, turn } from './support.ts';

function openNodeApn(sandbox: Sandbox, requestTimeout: number): Provider {
  const { key, keyId, teamId, url } = sandbox.apns;
  const provider = new Provider({
    token: { key, keyId, teamId },
    address: '127.0.0.1',
    port: Number(new URL(url).port),
    ca: [sandbox.ca],
    production: false,
    connectionRetryLimit: 0,
    requestTimeout,
  });
  onTestFinished(() => provider.shutdown());
  return provider;
}

function notification(sandbox: Sandbox): Notification {
  const note = new Notification();
  note.topic = sandbox.apns.topic;
  note.pushType = 'alert';
  note.alert = { title: 'Incoming payment', body: '' };
  return note;
}

const IN_FLIGHT = 20;

it('node-apn loses the pushes in flight on a graceful GOAWAY although APNs took them', async () => {
  const sandbox = await openSandbox();
  const nodeApn = openNodeApn(sandbox, 5_000);
  await nodeApn.send(notification(sandbox), TOKENS.apns);
  // Long enough for a busy machine to have all of them in flight when the GOAWAY comes.
  sandbox.script({ provider: 'apns', times: IN_FLIGHT, fault: { kind: 'delay', delayMs: 300 } });
  const results = Array.from({ length: IN_FLIGHT }, () =>
    nodeApn.send(notification(sandbox), TOKENS.apns),
  );
  await sandbox.waitForRequests(() => true, IN_FLIGHT + 1);
  sandbox.goAway('apns');
  const failed = (await Promise.all(results)).flatMap(({ failed }) => failed);
  expect(failed).toHaveLength(IN_FLIGHT);
  expect(failed.every(({ status }) => status === undefined)).toBe(true);
  expect(sandbox.received()).toHaveLength(IN_FLIGHT + 1);
});

it('our transport gets the answer to every one of them', async () => {
  const sandbox = await openSandbox();
  const { send } = await openProvider('apns', sandbox);
  await send();
  sandbox.script({ provider: 'apns', times: IN_FLIGHT, fault: { kind: 'delay', delayMs: 30 } });
  const outcomes = Array.from({ length: IN_FLIGHT }, () => send());
  await sandbox.waitForRequests(() => true, IN_FLIGHT + 1);
  sandbox.goAway('apns');
  const kinds = (await Promise.all(outcomes)).map(({ kind }) => kind);
  expect(new Set(kinds)).toEqual(new Set(['delivered']));
});

it('node-apn stays on a half-dead connection, push after push', async () => {
  const sandbox = await openSandbox();
  const nodeApn = openNodeApn(sandbox, 100);
  await nodeApn.send(notification(sandbox), TOKENS.apns);
  sandbox.blackhole('apns');
  for (let round = 0; round < 3; round += 1) {
    const { failed } = await nodeApn.send(notification(sandbox), TOKENS.apns);
    expect(failed[0]?.error?.message).toBe('apn write timeout');
  }
  expect(sandbox.connections().apns.opened).toBe(1);
});

it('our transport leaves it with the first push that times out', async () => {
  const clock = new ManualClock(Date.now());
  const sandbox = await openSandbox();
  const { send } = await openProvider('apns', sandbox, { clock });
  await send();
  sandbox.blackhole('apns');
  const outcome = send({ timeoutMs: 100 });
  await turn();
  clock.advance(100);
  expect(await outcome).toMatchObject({ kind: 'retry', certainty: 'uncertain' });
  expect(await send({ timeoutMs: 100 })).toMatchObject({ kind: 'delivered' });
  expect(sandbox.connections().apns.opened).toBe(2);
});

// Dead tokens are refused without asking the provider, bad ones for a while. Neither a mistake in the vendor's settings
// nor a stranger with invented tokens may quarantine working tokens.

import { expect, test } from 'vitest';
import {
  androidToken,
  HOUR,
  iosToken,
  MINUTE,
  SECOND,
  setupDriven,
} from '../support/driven-service.ts';
import { pathOf, REGISTRY_ENVIRONMENT, register } from '../support/registry.ts';
import type { SetupOptions } from '../support/service.ts';
import { ANDROID_TOKEN, IOS_TOKEN } from '../support/service.ts';

const DEAD = { kind: 'reason', reason: 'Unregistered', timestampMs: 1_754_000_000_000 } as const;
const BAD = { kind: 'reason', reason: 'BadDeviceToken' } as const;
const GONE = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;

async function setup(options: SetupOptions = {}) {
  const driven = await setupDriven(options);
  return {
    ...driven,
    sandbox: driven.running.sandbox,
    quarantined: () => {
      const wallMs = driven.clock.wallMs();
      return driven.running.service.store.listQuarantine({ wallMs, limit: 100 });
    },
    /** Makes tokens proven: a push to each arrives. */
    prove: async (tokens: readonly string[]) => {
      for (const token of tokens) {
        expect((await driven.pay(token, 'proof')).body.status).toBe('delivered');
      }
    },
    /** Sends to each once and returns the statuses. */
    payAll: async (tokens: readonly string[], hash: string) => {
      const statuses: number[] = [];
      for (const token of tokens) statuses.push((await driven.pay(token, hash)).status);
      return statuses;
    },
    lane: (name: string) => driven.running.service.readiness().checks[name],
  };
}

const PHONES = Array.from({ length: 40 }, (_, number) => iosToken(number));

for (const [provider, token, fault] of [
  ['apns', IOS_TOKEN, DEAD],
  ['fcm', ANDROID_TOKEN, GONE],
] as const) {
  test(`a token that ${provider} calls dead is answered 410 for a day without a push, then tried again`, async () => {
    const { pay, sandbox, asked, clock, running } = await setup();
    sandbox.script({ provider, fault });
    expect(await pay(token, 'aa')).toMatchObject({
      status: 410,
      body: { code: 'token_unregistered' },
    });
    expect((await pay(token, 'bb')).status).toBe(410);
    await running.service.stop();
    clock.advance(24 * HOUR - SECOND);
    await (await running.restart()).reach;
    expect(await pay(token, 'cc')).toMatchObject({
      status: 410,
      body: { code: 'token_unregistered' },
    });
    expect(asked(token)).toBe(1);
    clock.advance(SECOND);
    expect((await pay(token, 'dd')).body.status).toBe('delivered');
    expect(asked(token)).toBe(2);
  });
}

test('a dead token is remembered with the reason and the provider’s own time', async () => {
  const { pay, sandbox, store, quarantined, clock } = await setup();
  sandbox.script({ provider: 'apns', fault: DEAD });
  await pay(IOS_TOKEN, 'aa');
  await store.idle();
  expect(await quarantined()).toMatchObject([
    {
      kind: 'unregistered',
      provider: 'apns',
      reason: 'Unregistered',
      sinceMs: clock.nowMs(),
      untilMs: clock.nowMs() + 24 * HOUR,
      providerSinceMs: 1_754_000_000_000,
    },
  ]);
});

test('a refusal because of a quarantine leaves no row', async () => {
  const { pay, sandbox, rows } = await setup();
  sandbox.script({ provider: 'apns', fault: DEAD });
  await pay(IOS_TOKEN, 'aa');
  await pay(IOS_TOKEN, 'bb');
  expect(await rows()).toHaveLength(1);
});

test('a token that APNs calls bad is answered 422 and remembered for ten minutes only', async () => {
  const { pay, sandbox, asked, clock } = await setup();
  sandbox.script({ provider: 'apns', fault: BAD });
  expect(await pay(IOS_TOKEN, 'aa')).toMatchObject({
    status: 422,
    body: { code: 'token_rejected', reason: 'BadDeviceToken' },
  });
  clock.advance(10 * MINUTE - SECOND);
  expect((await pay(IOS_TOKEN, 'bb')).status).toBe(422);
  expect(asked(IOS_TOKEN)).toBe(1);
  clock.advance(SECOND);
  expect((await pay(IOS_TOKEN, 'cc')).body.status).toBe('delivered');
});

test('a queued delivery is not sent if its token died meanwhile', async () => {
  const { pay, sandbox, elapse, asked, rows } = await setup();
  sandbox.script({ provider: 'apns', fault: { kind: 'reason', reason: 'InternalServerError' } });
  sandbox.script({ provider: 'apns', fault: DEAD });
  expect((await pay(IOS_TOKEN, 'aa')).body.status).toBe('queued');
  expect((await pay(IOS_TOKEN, 'bb')).status).toBe(410);
  await elapse(5 * SECOND);
  expect(asked(IOS_TOKEN)).toBe(2);
  const statuses = (await rows()).map(({ status, attempts }) => [status, attempts.length]);
  expect(statuses).toEqual([
    ['unregistered', 1],
    ['unregistered', 1],
  ]);
});

test('when most proven tokens are called dead, it doubts the settings and says so', async () => {
  const { prove, payAll, sandbox, lane, quarantined, store, clock, running } = await setup();
  await prove(PHONES);
  // Tokens that started to work only a moment ago may have been made for an attack.
  clock.advance(HOUR);
  sandbox.script({ provider: 'apns', times: Infinity, fault: DEAD });
  const statuses = await payAll(PHONES.slice(0, 30), 'aa');
  expect(statuses.slice(0, 20)).toEqual(Array(20).fill(410));
  expect(statuses.slice(20)).toEqual(Array(10).fill(502));
  await store.idle();
  expect(await quarantined()).toEqual([]);
  expect(lane('default/apns')).toEqual({
    ready: false,
    status: 'broken',
    detail: expect.stringContaining('APNS_ENVIRONMENT'),
  });
  expect(running.service.readiness().ready).toBe(false);
  expect(running.log.events.filter(({ name }) => name === 'condemning_stopped')).toHaveLength(1);

  // Tokens that were quarantined before the doubt are tried again, and still count as proven.
  expect(await payAll(PHONES.slice(0, 5), 'bb')).toEqual(Array(5).fill(502));

  // The configuration is fixed: the pushes arrive, and the doubt ends.
  sandbox.clearFaults();
  clock.advance(MINUTE);
  expect(await payAll(PHONES, 'cc')).toEqual(Array(40).fill(200));
  expect(lane('default/apns')).toEqual({ ready: true, status: 'ready' });
});

test('tokens that never worked raise no doubt, however many are dead', async () => {
  const { prove, payAll, sandbox, lane, running } = await setup();
  await prove(PHONES.slice(0, 3));
  const invented = Array.from({ length: 80 }, (_, number) => iosToken(1_000 + number));
  for (const token of invented) sandbox.script({ provider: 'apns', token, fault: DEAD });
  expect(await payAll(invented, 'aa')).toEqual(Array(80).fill(410));
  expect(lane('default/apns')).toEqual({ ready: true, status: 'ready' });
  expect(running.service.readiness().ready).toBe(true);
  expect(await payAll(PHONES.slice(0, 3), 'bb')).toEqual([200, 200, 200]);
});

test('strangers’ tokens that hang use up their own share and leave the other places free', async () => {
  const { prove, pay, sandbox, untilAsked, asked } = await setup({
    environment: { NDS_MAX_IN_FLIGHT: '8' },
  });
  await prove([IOS_TOKEN]);
  const strangers = Array.from({ length: 20 }, (_, number) => iosToken(number));
  for (const token of strangers) {
    sandbox.script({ provider: 'apns', token, times: Infinity, fault: { kind: 'hang' } });
  }
  for (const token of strangers) void pay(token, 'aa').catch(() => {});
  await untilAsked(3);
  expect((await pay(IOS_TOKEN, 'aa')).body.status).toBe('delivered');
  expect(asked()).toBe(4);
});

test('strangers’ tokens that hang do not delay the retries of the others', async () => {
  const { prove, pay, sandbox, untilAsked, drift } = await setup({
    environment: { NDS_MAX_IN_FLIGHT: '8' },
  });
  await prove([ANDROID_TOKEN]);
  sandbox.script({
    provider: 'fcm',
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE' },
  });
  expect((await pay(ANDROID_TOKEN, 'aa')).body.status).toBe('queued');
  const strangers = Array.from({ length: 20 }, (_, number) => androidToken(number));
  for (const token of strangers) {
    sandbox.script({ provider: 'fcm', token, times: Infinity, fault: { kind: 'hang' } });
  }
  for (const token of strangers) void pay(token, 'aa').catch(() => {});
  await untilAsked(4);
  // Less than an attempt's two seconds, so the strangers' attempts hang the whole time.
  await drift(1_500);
  await sandbox.waitFor(({ token }) => token === ANDROID_TOKEN, 2);
});

test('bad tokens of strangers never cost the others their connection', async () => {
  const { prove, pay, payAll, sandbox } = await setup({ sandbox: { closeAfterBadTokens: 3 } });
  await prove([IOS_TOKEN]);
  const before = sandbox.received().map(({ connection }) => connection);
  const invented = Array.from({ length: 30 }, (_, number) => iosToken(number));
  for (const token of invented) sandbox.script({ provider: 'apns', token, fault: BAD });
  expect(await payAll(invented, 'aa')).toEqual(Array(30).fill(422));
  for (const hash of ['aa', 'bb', 'cc']) expect((await pay(IOS_TOKEN, hash)).status).toBe(200);
  const after = sandbox.received().slice(before.length);
  const connections = new Set(after.map(({ connection }) => connection));
  expect(connections.size).toBe(1);
});

test('a token is not quarantined if Apple saw it die before the device registered', async () => {
  const { running, sandbox, asked, clock, quarantined } = await setup({
    environment: REGISTRY_ENVIRONMENT,
  });
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN });
  const call = (hash: string) =>
    running.post(
      pathOf(device, 'notify'),
      JSON.stringify({ template: 'payment_received', data: { payment_hash: hash } }),
    );
  const monthAgoMs = clock.wallMs() - 30 * 24 * HOUR;
  sandbox.script({ provider: 'apns', fault: { ...DEAD, timestampMs: monthAgoMs } });
  expect((await call('aa')).status).toBe(410);
  expect(await quarantined()).toEqual([]);
  expect((await call('bb')).status).toBe(200);
  expect(asked(IOS_TOKEN)).toBe(2);

  clock.advance(HOUR);
  sandbox.script({ provider: 'apns', fault: { ...DEAD, timestampMs: clock.wallMs() - MINUTE } });
  expect((await call('cc')).status).toBe(410);
  expect((await call('dd')).status).toBe(410);
  expect(asked(IOS_TOKEN)).toBe(3);
});

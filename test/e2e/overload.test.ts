// Too many calls, or a provider that is down: load is bounded, answers stay true, and the other provider is not
// affected.

import { expect, test } from 'vitest';
import { androidToken, iosToken, SECOND, setupDriven } from '../support/driven-service.ts';
import type { SetupOptions } from '../support/service.ts';

const UNAVAILABLE = { kind: 'fcm_error', error: 'UNAVAILABLE' } as const;
const HANG = { kind: 'hang' } as const;

async function setup(options: SetupOptions = {}) {
  const driven = await setupDriven(options);
  const { sandbox, log, service } = driven.running;
  return {
    ...driven,
    sandbox,
    readiness: service.readiness,
    breaker: () =>
      log.events.filter((event) => event.name === 'breaker_changed').map(({ state }) => state),
    /** Opens FCM's breaker: three rounds of failure. */
    breakFcm: async () => {
      sandbox.script({ provider: 'fcm', times: Infinity, fault: UNAVAILABLE });
      for (const number of [1, 2, 3]) await driven.pay(androidToken(number), 'aa');
    },
  };
}

test('calls beyond the places and the queue are answered 503 at once, with Retry-After', async () => {
  const { pay, sandbox, untilAsked, asked, rows, clock } = await setup({
    environment: { NDS_MAX_IN_FLIGHT: '4', NDS_MAX_QUEUED: '8' },
  });
  sandbox.script({ provider: 'fcm', times: Infinity, fault: HANG });
  // Tokens that never worked have a quarter of the places and half of the queue.
  const waiting = Array.from({ length: 5 }, (_, number) => pay(androidToken(number), 'aa'));
  await untilAsked(1);
  const refused = await Promise.race([
    ...waiting,
    Promise.all(Array.from({ length: 5 }, (_, number) => pay(androidToken(10 + number), 'aa'))),
  ]);
  for (const answer of [refused].flat()) {
    expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    expect(Number(answer.retryAfter)).toBeGreaterThan(0);
  }
  expect(asked()).toBe(1);
  expect(await rows()).toHaveLength(5);
  clock.advance(5 * SECOND);
  for (const answer of await Promise.all(waiting)) expect(answer.body.status).toBe('queued');
});

test('an APNs that hangs does not slow one FCM push', async () => {
  const { pay, sandbox, untilAsked, readiness } = await setup({
    environment: { NDS_MAX_IN_FLIGHT: '8', NDS_MAX_QUEUED: '16' },
  });
  sandbox.script({ provider: 'apns', times: Infinity, fault: HANG });
  for (let number = 0; number < 30; number += 1) void pay(iosToken(number), 'aa').catch(() => {});
  await untilAsked(1);
  // The clock stands still, so nothing here can wait for a deadline of APNs.
  for (let number = 0; number < 30; number += 1) {
    expect((await pay(androidToken(number), 'aa')).body.status).toBe('delivered');
  }
  expect(readiness().checks['default/fcm']).toEqual({ ready: true, status: 'ready' });
});

test('three failures in a row open the breaker: later calls are queued without a try', async () => {
  const { pay, breakFcm, breaker, asked, readiness } = await setup();
  await breakFcm();
  expect(breaker()).toEqual(['open']);
  for (let number = 10; number < 20; number += 1) {
    const answer = await pay(androidToken(number), 'aa');
    expect(answer).toMatchObject({ status: 200, body: { status: 'queued' } });
  }
  expect(asked()).toBe(3);
  expect(readiness().checks['default/fcm']).toMatchObject({ ready: false });
  expect((await pay(iosToken(1), 'aa')).body.status).toBe('delivered');
});

test('many sends that fail together count as one failure', async () => {
  const { pay, sandbox, breaker, untilAsked, clock } = await setup();
  sandbox.script({ provider: 'fcm', times: 50, fault: HANG });
  const calls = Array.from({ length: 50 }, (_, number) => pay(androidToken(number), 'aa'));
  await untilAsked(50);
  clock.advance(2 * SECOND);
  for (const answer of await Promise.all(calls)) expect(answer.body.status).toBe('delivered');
  expect(breaker()).toEqual([]);
});

test('an open breaker lets one probe through at a time', async () => {
  const { pay, breakFcm, sandbox, asked, untilAsked, drift, store } = await setup();
  await breakFcm();
  sandbox.clearFaults();
  sandbox.script({ provider: 'fcm', fault: HANG });
  await store.idle();
  await drift(300);
  await untilAsked(4);
  // The probe hangs for a second; calls that come meanwhile are queued.
  for (let number = 10; number < 14; number += 1) {
    await drift(100);
    expect((await pay(androidToken(number), 'aa')).body.status).toBe('queued');
  }
  expect(asked()).toBe(4);
});

test('a send from before the outage that ends late does not let a second probe through', async () => {
  const { pay, sandbox, asked, untilAsked, clock, drift, store, breaker } = await setup({
    environment: { NDS_ATTEMPT_TIMEOUT: '10s' },
  });
  sandbox.script({ provider: 'fcm', token: androidToken(0), times: Infinity, fault: HANG });
  const late = pay(androidToken(0), 'aa');
  await untilAsked(1);
  clock.advance(9.3 * SECOND);
  expect((await late).body.status).toBe('queued');
  sandbox.script({ provider: 'fcm', times: 3, fault: UNAVAILABLE });
  for (const number of [1, 2, 3]) await pay(androidToken(number), 'aa');
  expect(breaker()).toEqual(['open']);
  sandbox.script({ provider: 'fcm', times: Infinity, fault: HANG });
  await store.idle();
  await drift(300);
  await untilAsked(5);
  // The deadline of the late one passes while the probe hangs.
  await drift(500);
  expect((await pay(androidToken(9), 'aa')).body.status).toBe('queued');
  expect(asked()).toBe(5);
});

test('when the provider is back, all waiting deliveries go out within two seconds', async () => {
  const { pay, breakFcm, breaker, sandbox, elapse, rows } = await setup();
  await breakFcm();
  for (let number = 10; number < 200; number += 1) await pay(androidToken(number), 'aa');
  await elapse(20 * SECOND, 200);
  expect(breaker()).toEqual(['open']);
  expect(sandbox.received()).toEqual([]);
  sandbox.clearFaults();
  await elapse(2 * SECOND, 50);
  expect(breaker()).toEqual(['open', 'closed']);
  expect((await rows()).filter(({ status }) => status !== 'delivered')).toEqual([]);
  expect(sandbox.received()).toHaveLength(193);
});

test('while a provider stays down, waiting deliveries expire and are logged', async () => {
  const { breakFcm, elapse, rows, sandbox, pay } = await setup();
  await breakFcm();
  await pay(androidToken(10), 'aa');
  await elapse(60 * SECOND, 500);
  sandbox.clearFaults();
  await elapse(5 * SECOND, 500);
  expect((await rows()).map(({ status }) => status)).toEqual(Array(4).fill('expired'));
  expect(sandbox.received()).toEqual([]);
});

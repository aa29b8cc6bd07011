// The wait for a device: how long it lasts, what ends it early, who may join it, and how many waits there may be.

import { expect, test } from 'vitest';
import type { Fault } from '../../sandbox/faults.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import { askPhone, problemOf, refusalOf, reply, replyUrlOf, send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, IOS_TOKEN, type Setup, setup } from '../support/service.ts';

const NOBODY = { replyCallers: 0, replyIds: 0 };

function waitEnds(end: Extract<ServiceEvent, { name: 'reply_waited' }>['end']) {
  return (event: ServiceEvent) => event.name === 'reply_waited' && event.end === end;
}

/** One round trip: afterwards the service has sent everything that it had to send before. */
async function roundTrip(running: Setup): Promise<void> {
  const answer = await send(running.service.url, { method: 'GET', path: '/healthz' });
  expect(answer.status).toBe(200);
}

for (const [seconds, environment] of [
  [50, {}],
  [7, { NDS_REPLY_DEADLINE: '7s' }],
] as const) {
  test(`answers 504 when the phone has been silent for ${seconds} s, not a moment earlier`, async () => {
    const clock = new ManualClock();
    const running = await setup({ clock, environment });
    const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'silent' });
    const [push] = await running.sandbox.waitFor(() => true, 1);
    await running.log.waitFor((event) => event.name === 'delivery_settled');
    clock.advance(seconds * 1_000 - 1);
    await roundTrip(running);
    expect(running.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
    clock.advance(1);
    const answer = await asked.answer;
    expect(refusalOf(answer)).toBe('504 no_reply');
    expect(running.service.load()).toMatchObject(NOBODY);
    expect(refusalOf(await reply(running, push, 'late'))).toBe('404 not_found');
    expect(running.sandbox.received()).toHaveLength(1);
  });
}

const FAILURES: readonly {
  readonly name: string;
  readonly token: string;
  readonly fault: Fault;
  readonly refusal: string;
}[] = [
  {
    name: 'Apple calls the token dead',
    token: IOS_TOKEN,
    fault: { kind: 'reason', reason: 'Unregistered' },
    refusal: '410 token_unregistered',
  },
  {
    name: 'Google calls the token dead',
    token: ANDROID_TOKEN,
    fault: { kind: 'fcm_error', error: 'UNREGISTERED' },
    refusal: '410 token_unregistered',
  },
  {
    name: 'Apple refuses the token',
    token: IOS_TOKEN,
    fault: { kind: 'reason', reason: 'BadDeviceToken' },
    refusal: '422 token_rejected',
  },
  {
    name: 'Apple refuses the message',
    token: IOS_TOKEN,
    fault: { kind: 'reason', reason: 'BadPriority' },
    refusal: '422 message_rejected',
  },
  {
    name: 'Apple refuses the key',
    token: IOS_TOKEN,
    fault: { kind: 'reason', reason: 'InvalidProviderToken' },
    refusal: '502 provider_misconfigured',
  },
  {
    name: 'Google knows no such project',
    token: ANDROID_TOKEN,
    fault: { kind: 'google_error', status: 404 },
    refusal: '502 provider_misconfigured',
  },
];

for (const { name, token, fault, refusal } of FAILURES) {
  test(`does not wait for a phone that was not reached: ${name}`, async () => {
    const running = await setup({ clock: new ManualClock() });
    running.sandbox.script({ token, fault });
    const answer = await askPhone(running, { token, request: 'fails' }).answer;
    expect(refusalOf(answer)).toBe(refusal);
    expect(problemOf(answer)).toMatchObject({ id: expect.any(String), reason: expect.any(String) });
    expect(running.service.load()).toMatchObject(NOBODY);
    expect(running.sandbox.received()).toEqual([]);
    expect(running.log.events.filter(waitEnds('failed'))).toHaveLength(1);
  });
}

test('answers a token that is known to be dead without asking the provider again', async () => {
  const running = await setup({ clock: new ManualClock() });
  running.sandbox.script({ token: IOS_TOKEN, fault: { kind: 'reason', reason: 'Unregistered' } });
  for (const request of ['first', 'second']) {
    const answer = await askPhone(running, { token: IOS_TOKEN, request }).answer;
    expect(refusalOf(answer)).toBe('410 token_unregistered');
  }
  const requests = running.sandbox.requests().filter(({ provider }) => provider === 'apns');
  expect(requests).toHaveLength(1);
  expect(running.service.load()).toMatchObject(NOBODY);
});

test('says what to configure when the platform has no credentials', async () => {
  const running = await setup({
    environment: { GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined, FCM_ENDPOINT: undefined },
  });
  const answer = await askPhone(running, { token: ANDROID_TOKEN, request: 'no FCM' }).answer;
  expect(refusalOf(answer)).toBe('502 provider_not_configured');
  expect(problemOf(answer).detail).toContain('GOOGLE_APPLICATION_CREDENTIALS');
  expect(running.service.load()).toMatchObject(NOBODY);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
});

test('pushes when a provider that was down is back, and the caller gets the reply within its wait', async () => {
  const running = await setup();
  const { sandbox } = running;
  await sandbox.refuseConnections('fcm', true, { reset: true });
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'outage' });
  await running.log.waitFor((event) => event.name === 'attempt_ended', 2);
  expect(running.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
  await sandbox.refuseConnections('fcm', false);
  const [push] = await sandbox.waitFor(() => true, 1);
  await reply(running, push, 'after the outage');
  const answer = await asked.answer;
  expect([answer.status, answer.text]).toEqual([200, 'after the outage']);
  expect(sandbox.received()).toHaveLength(1);
});

test('frees the place of a caller who hangs up at once, and still pushes', async () => {
  const running = await setup();
  const { sandbox } = running;
  await sandbox.refuseConnections('apns', true, { reset: true });
  const asked = askPhone(running, { token: IOS_TOKEN, request: 'leaves' });
  await running.log.waitFor((event) => event.name === 'attempt_ended', 2);
  expect(running.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
  await asked.hangUp();
  await running.log.waitFor(waitEnds('hung_up'));
  expect(running.service.load()).toMatchObject(NOBODY);
  await sandbox.refuseConnections('apns', false);
  const [push] = await sandbox.waitFor(() => true, 1);
  expect(refusalOf(await reply(running, push, 'nobody is there'))).toBe('404 not_found');
  await running.log.waitFor((event) => event.name === 'delivery_settled');
  expect(sandbox.received()).toHaveLength(1);
});

test('lets a repeat join a waiting call: one push, both callers answered', async () => {
  const running = await setup({ clock: new ManualClock() });
  const first = askPhone(running, { token: ANDROID_TOKEN, request: 'same' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const second = askPhone(running, { token: ANDROID_TOKEN, request: 'same' });
  const third = askPhone(running, { token: ANDROID_TOKEN, request: 'same' });
  await untilWaiting(running, 3);
  expect(running.service.load().replyIds).toBe(1);
  await reply(running, push, 'for all');
  for (const { answer } of [first, second, third]) expect((await answer).text).toBe('for all');
  expect(running.sandbox.received()).toHaveLength(1);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toHaveLength(1);
});

test('asks separately if the request, the phone or the data for the app differs', async () => {
  const running = await setup({ clock: new ManualClock() });
  const calls = [
    { token: ANDROID_TOKEN, request: 'a' },
    { token: ANDROID_TOKEN, request: 'b' },
    { token: IOS_TOKEN, request: 'a' },
    { token: ANDROID_TOKEN, request: 'a', query: { app_data: 'second wallet' } },
  ];
  const asked = calls.map((call) => askPhone(running, call));
  const pushes = await running.sandbox.waitFor(() => true, calls.length);
  expect(new Set(pushes.map((push) => replyUrlOf(push).href)).size).toBe(calls.length);
  await Promise.all(pushes.map((push) => reply(running, push, replyUrlOf(push).pathname)));
  const texts = await Promise.all(asked.map(async ({ answer }) => (await answer).text));
  expect(new Set(texts).size).toBe(calls.length);
});

test('keeps a joined wait until the last caller has hung up', async () => {
  const running = await setup({ clock: new ManualClock() });
  const first = askPhone(running, { token: ANDROID_TOKEN, request: 'joined' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const second = askPhone(running, { token: ANDROID_TOKEN, request: 'joined' });
  await untilWaiting(running, 2);
  await first.hangUp();
  await untilWaiting(running, 1);
  expect(running.service.load().replyIds).toBe(1);
  const third = askPhone(running, { token: ANDROID_TOKEN, request: 'joined' });
  await untilWaiting(running, 2);
  await Promise.all([second.hangUp(), third.hangUp()]);
  await running.log.waitFor(waitEnds('hung_up'));
  expect(running.service.load()).toMatchObject(NOBODY);
  expect(refusalOf(await reply(running, push, 'too late'))).toBe('404 not_found');
  expect(running.sandbox.received()).toHaveLength(1);
});

test('pushes again when the same request comes after the answer', async () => {
  const running = await setup({ clock: new ManualClock() });
  const addresses = new Set<string>();
  for (const round of [1, 2, 3]) {
    const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'again' });
    const push = (await running.sandbox.waitFor(() => true, round)).at(-1);
    addresses.add(replyUrlOf(push).href);
    await reply(running, push, `answer ${round}`);
    expect((await asked.answer).text).toBe(`answer ${round}`);
  }
  expect(addresses.size).toBe(3);
});

test('refuses callers beyond the limit for all with 503, until one leaves', async () => {
  const running = await setup({
    clock: new ManualClock(),
    environment: { NDS_MAX_REPLY_WAITS: '3' },
  });
  const tokens = ['phone-1:APA91b', 'phone-2:APA91b', 'phone-3:APA91b'];
  const asked = tokens.map((token) => askPhone(running, { token, request: 'full' }));
  const [push] = await running.sandbox.waitFor(() => true, 3);
  const refused = await askPhone(running, { token: 'phone-4:APA91b', request: 'full' }).answer;
  expect(refusalOf(refused)).toBe('503 overloaded');
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  await reply(running, push, 'done');
  await Promise.race(asked.map(({ answer }) => answer));
  const later = askPhone(running, { token: 'phone-4:APA91b', request: 'full' });
  await running.sandbox.waitFor((sent) => sent.token === 'phone-4:APA91b', 1);
  await Promise.all([...asked, later].map((caller) => caller.hangUp()));
  await untilWaiting(running, 0);
});

test('refuses the ninth caller for one phone with 429, whatever each of them asks', async () => {
  const running = await setup({ clock: new ManualClock() });
  const requests = ['a', 'b', 'c', 'd', 'e', 'e', 'e', 'e'];
  const asked = requests.map((request) => askPhone(running, { token: ANDROID_TOKEN, request }));
  await untilWaiting(running, 8);
  for (const request of ['a', 'z']) {
    const refused = await askPhone(running, { token: ANDROID_TOKEN, request }).answer;
    expect(refusalOf(refused)).toBe('429 rate_limited');
    expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  }
  const other = askPhone(running, { token: IOS_TOKEN, request: 'a' });
  await running.sandbox.waitFor((push) => push.token === IOS_TOKEN, 1);
  await Promise.all([...asked, other].map((caller) => caller.hangUp()));
  await untilWaiting(running, 0);
  const again = askPhone(running, { token: ANDROID_TOKEN, request: 'after all have left' });
  const pushes = await running.sandbox.waitFor((push) => push.token === ANDROID_TOKEN, 6);
  await reply(running, pushes.at(-1), 'welcome');
  expect((await again.answer).text).toBe('welcome');
});

test('answers every waiting caller when the service stops', async () => {
  const running = await setup({ clock: new ManualClock() });
  const asked = ['a', 'b', 'b'].map((request) =>
    askPhone(running, { token: ANDROID_TOKEN, request }),
  );
  await untilWaiting(running, 3);
  await running.sandbox.waitFor(() => true, 2);
  await running.service.stop();
  for (const { answer } of asked) expect(refusalOf(await answer)).toBe('503 shutting_down');
  expect(running.service.load()).toMatchObject(NOBODY);
});

/** Asks over HTTP until this many callers wait: each round trip lets earlier requests arrive. */
async function untilWaiting(running: Setup, callers: number): Promise<void> {
  const MAX_ROUND_TRIPS = 1_000;
  for (let turn = 0; turn < MAX_ROUND_TRIPS; turn += 1) {
    if (running.service.load().replyCallers === callers) return;
    await roundTrip(running);
  }
  expect(running.service.load().replyCallers).toBe(callers);
}

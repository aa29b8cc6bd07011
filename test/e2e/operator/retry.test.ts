// One more try of a waiting delivery, at an operator's request: at once, through the same claim as every other try, and
// never a second push for one that is being sent.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { retryAnswer } from '../../../src/http/operator/deliveries.ts';
import { problemOf, refusalOf } from '../../support/callers.ts';
import { androidToken, type Driven, SECOND, setupDriven } from '../../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { ANDROID_TOKEN } from '../../support/service.ts';

const TOKEN = androidToken(1);
const answered = z.object({ id: z.string(), status: z.string() });

async function start(): Promise<Driven> {
  return await setupDriven({ environment: OPERATOR_ENVIRONMENT });
}

function retry({ running }: Driven, id: string) {
  return operate(running, { method: 'POST', path: `/deliveries/${id}/retry` });
}

/** News that FCM could not take, and that is due again in a few seconds. */
async function queueNews(driven: Driven): Promise<string> {
  const { running } = driven;
  running.sandbox.script({
    provider: 'fcm',
    times: 2,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE' },
  });
  const { id, status } = answered.parse((await driven.announce('event')).body);
  expect(status).toBe('queued');
  await running.service.settled();
  running.sandbox.clearFaults();
  return id;
}

test('a queued delivery is sent at once', async () => {
  const driven = await start();
  const id = await queueNews(driven);
  const asked = driven.asked();
  expect(retryAnswer.parse(told(await retry(driven, id)))).toEqual({
    id,
    status: 'queued',
    attempt: 'starts',
  });
  driven.clock.advance(1);
  await driven.untilAsked(asked + 1);
  await driven.running.service.settled();
  expect((await driven.rows())[0]).toMatchObject({ id, status: 'delivered' });
});

test('ten requests at once are one push', async () => {
  const driven = await start();
  const id = await queueNews(driven);
  const before = driven.running.sandbox.received().length;
  const answers = await Promise.all(Array.from({ length: 10 }, () => retry(driven, id)));
  await driven.elapse(5 * SECOND);
  for (const { status } of answers) expect([200, 409]).toContain(status);
  expect(driven.running.sandbox.received().length).toBe(before + 1);
});

test('a delivery that is being sent is left alone', async () => {
  const driven = await start();
  const { running, clock } = driven;
  running.sandbox.script({ provider: 'fcm', times: Infinity, fault: { kind: 'hang' } });
  const calling = driven.announce('event');
  await running.sandbox.waitForRequests(({ provider }) => provider === 'fcm', 1);
  await running.service.store.probe();
  const [row] = await running.service.store.findDeliveries({ limit: 1 });
  const answer = retryAnswer.parse(told(await retry(driven, row?.id ?? '')));
  expect(answer.attempt).toBe('under_way');
  clock.advance(0);
  expect(driven.asked()).toBe(1);
  running.sandbox.clearFaults();
  await driven.drift(6 * SECOND);
  await calling;
});

test('a delivery that has ended is 409, an unknown one 404', async () => {
  const driven = await start();
  const { id } = answered.parse((await driven.pay(TOKEN, 'aa')).body);
  await driven.running.service.settled();
  const ended = await retry(driven, id);
  expect(refusalOf(ended)).toBe('409 content_erased');
  expect(problemOf(ended)).toMatchObject({ id });
  expect(refusalOf(await retry(driven, '01988000-0000-7000-8000-000000000000'))).toBe(
    '404 unknown_delivery',
  );
  expect(refusalOf(await retry(driven, 'nonsense'))).toBe('404 unknown_delivery');
  expect(driven.asked()).toBe(1);
});

test('a token that its provider holds back is not tried earlier', async () => {
  const driven = await start();
  const { running } = driven;
  const fault = { kind: 'fcm_error', error: 'QUOTA_EXCEEDED', retryAfterSeconds: 20 } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault });
  const { id } = answered.parse((await driven.announce('event')).body);
  await running.service.settled();
  const answer = await retry(driven, id);
  expect(refusalOf(answer)).toBe('409 held_back');
  expect(answer.headers['retry-after']).toBe('20');
  await driven.elapse(19 * SECOND);
  expect(driven.asked()).toBe(1);
  await driven.elapse(5 * SECOND);
  expect((await driven.rows())[0]).toMatchObject({ id, status: 'delivered' });
});

test('a token that died meanwhile ends the delivery without a push', async () => {
  const driven = await start();
  const { running } = driven;
  const id = await queueNews(driven);
  const dead = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault: dead });
  await running.notify(ANDROID_TOKEN, 'aa');
  const asked = driven.asked();
  await retry(driven, id);
  await driven.elapse(SECOND);
  expect(driven.asked()).toBe(asked);
  const rows = await driven.rows();
  expect(rows.find((row) => row.id === id)).toMatchObject({ status: 'unregistered' });
});

test('while the provider is down it waits with the others that may become the probe', async () => {
  const driven = await start();
  const { running } = driven;
  const id = await queueNews(driven);
  running.sandbox.script({
    provider: 'fcm',
    times: Infinity,
    fault: { kind: 'fcm_error', error: 'UNAVAILABLE' },
  });
  for (let number = 0; number < 8; number += 1) await driven.pay(androidToken(number), 'aa');
  const answer = retryAnswer.parse(told(await retry(driven, id)));
  expect(answer.attempt).toBe('waits_for_provider');
  running.sandbox.clearFaults();
  await driven.elapse(10 * SECOND);
  const rows = await driven.rows();
  expect(rows.find((row) => row.id === id)).toMatchObject({ status: 'delivered' });
});

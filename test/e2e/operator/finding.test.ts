// What an operator asks over HTTP: what happened to a push, which calls were refused, and figures of a period.

import { expect, test } from 'vitest';
import { z } from 'zod';
import { findAnswer, statsAnswer } from '../../../src/http/operator/answers.ts';
import { listRefusalsAnswer } from '../../../src/http/operator/refusals.ts';
import { refusalOf, send } from '../../support/callers.ts';
import { faultyFields, registerPhone, wake } from '../../support/device-calls.ts';
import { androidToken, MINUTE, setupDriven } from '../../support/driven-service.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../../support/operator-calls.ts';
import { notifyPath, type Setup } from '../../support/service.ts';

const HASH = '4bb06f8e4e3a'.padEnd(64, '0');
const TOKEN = androidToken(1);
const answered = z.object({ id: z.string() });

async function start() {
  return await setupDriven({ environment: OPERATOR_ENVIRONMENT });
}

async function ask(running: Setup, q: string) {
  return findAnswer.parse(
    told(await operate(running, { path: `/find?${new URLSearchParams({ q })}` })),
  );
}

async function refusals(running: Setup, query: Record<string, string> = {}) {
  const path = `/refusals?${new URLSearchParams(query)}`;
  return listRefusalsAnswer.parse(told(await operate(running, { path }))).refusals;
}

test('finds a payment by its hash, its token and its device, with what happened', async () => {
  const { running } = await start();
  const device = await registerPhone(running, { user: 'user-a', token: TOKEN });
  const { id } = answered.parse(JSON.parse((await wake(running, device, HASH)).text));
  await running.service.settled();
  for (const q of [HASH, HASH.slice(0, 12).toUpperCase(), id, device.id, 'user-a', TOKEN]) {
    const answer = await ask(running, q);
    expect(
      answer.deliveries.map((one) => one.id),
      q,
    ).toEqual([id]);
    expect(answer.verdict.sentence, q).not.toBe('');
    expect(JSON.stringify(answer)).not.toContain(TOKEN);
  }
  const body = { q: TOKEN, since: '1h', limit: 1 };
  const found = await operate(running, { method: 'POST', path: '/find', body });
  expect(findAnswer.parse(told(found))).toMatchObject({ found_by: ['token'] });
  expect((await ask(running, 'f'.repeat(64))).found_by).toEqual([]);
});

test('lists refused calls by code, door, token and time', async () => {
  const { running, clock } = await start();
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', fault });
  await running.notify(TOKEN, 'aa');
  await running.notify(TOKEN, 'bb');
  await send(running.service.url, { path: notifyPath(TOKEN), body: '{}' });
  clock.advance(2 * MINUTE);
  await running.service.settled();
  const all = await refusals(running);
  expect(all.map(({ code }) => code).toSorted()).toEqual(['bad_body', 'token_unregistered']);
  const [dead] = await refusals(running, { code: 'token_unregistered' });
  expect(dead).toMatchObject({ status: 410, door: '/api/v1/notify', app: 'default' });
  expect(await refusals(running, { code: 'bad_signature' })).toEqual([]);
  expect(await refusals(running, { door: '/api/v1/notify' })).toHaveLength(2);
  expect(await refusals(running, { token: dead?.token_fingerprint ?? '' })).toHaveLength(2);
  expect(await refusals(running, { since: '1m' })).toEqual([]);
  expect(await refusals(running, { app: 'another' })).toEqual([]);
  expect(await refusals(running, { device: '01988000-0000-7000-8000-000000000000' })).toEqual([]);
});

test('counts what was delivered and why the rest was not', async () => {
  const { running } = await start();
  await running.notify(TOKEN, 'aa');
  const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
  running.sandbox.script({ provider: 'fcm', times: 1, fault });
  await running.notify(androidToken(2), 'bb');
  // An operator's mistake is logged, too, but loses no push.
  expect((await operate(running, { path: '/stats?since=never' })).status).toBe(400);
  await running.service.settled();
  const stats = statsAnswer.parse(told(await operate(running, { path: '/stats?since=1h' })));
  expect(stats.lanes).toMatchObject([{ app: 'default', provider: 'fcm', delivered: 1 }]);
  expect(stats.refused).toEqual([]);
  expect(stats.why_not).toMatchObject([{ status: 'unregistered', count: 1, tokens: 1 }]);
  expect(statsAnswer.parse(told(await operate(running, { path: '/stats' })))).toMatchObject({
    lanes: stats.lanes,
  });
});

test('names the parameter at fault, and not its value', async () => {
  const { running } = await start();
  const cases: readonly (readonly [string, string])[] = [
    ['/find', 'q'],
    ['/find?q=', 'q'],
    [`/find?q=${'x'.repeat(15_000)}`, 'q'],
    ['/find?q=secret-value&q=secret-value', 'q'],
    ['/find?q=abc&limit=0', 'limit'],
    ['/find?q=abc&since=1', 'since'],
    ['/stats?since=secret-value', 'since'],
    ['/stats?app=secret-value', 'app'],
    ['/refusals?code=Secret-value', 'code'],
    ['/refusals?token=secret-value', 'token'],
    ['/refusals?device=secret-value', 'device'],
    ['/refusals?cursor=secret-value', 'cursor'],
  ];
  for (const [path, field] of cases) {
    const answer = await operate(running, { path });
    expect(refusalOf(answer), path.slice(0, 60)).toBe('400 bad_query');
    expect(faultyFields(answer), path.slice(0, 60)).toEqual([field]);
    expect(answer.text.toLowerCase()).not.toContain('secret-value');
  }
  for (const body of ['', '[]', '{}', '{"q":1}', '{"q":"a","limit":1.5}', '{"q":"a","x":1}']) {
    const answer = await operate(running, { method: 'POST', path: '/find', body });
    expect(refusalOf(answer), body).toBe('400 bad_body');
  }
});

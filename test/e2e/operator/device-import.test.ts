// Many devices in one call: each line gets an answer, and the same lines again change nothing.

import { expect, test } from 'vitest';
import type { z } from 'zod';
import { importAnswer } from '../../../src/http/operator/import.ts';
import { type Answer, refusalOf } from '../../support/callers.ts';
import { readDevice, registerPhone, successOf, wakeHandle } from '../../support/device-calls.ts';
import { KEYS, OPERATOR_ENVIRONMENT, operate } from '../../support/operator-calls.ts';
import { REGISTRY_ENVIRONMENT } from '../../support/registry.ts';
import { type Setup, setup } from '../../support/service.ts';

function phone(number: number, others: object = {}): object {
  const token = `phone-${number}:APA91b`;
  return { platform: 'android', token, user: `user-${number}`, ...others };
}

function lines(devices: readonly object[]): string {
  return devices.map((device) => `${JSON.stringify(device)}\n`).join('');
}

function send(running: Setup, body: string, key: string = KEYS.register): Promise<Answer> {
  return operate(running, { method: 'POST', path: '/devices/import', body, key });
}

function answersOf({ status, text }: Answer): readonly z.output<typeof importAnswer>[] {
  if (status !== 200) throw new Error(`${status}: ${text}`);
  const parts = text.split('\n').filter((part) => part !== '');
  return parts.map((part) => importAnswer.parse(JSON.parse(part)));
}

async function start(): Promise<Setup> {
  return await setup({ environment: OPERATOR_ENVIRONMENT });
}

test('registers a device for each line, and answers each with its URLs', async () => {
  const running = await start();
  const body = lines(Array.from({ length: 45 }, (_, number) => phone(number)));
  const answer = await send(running, body);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  const answers = answersOf(answer);
  expect(answers.map(({ line }) => line)).toEqual(Array.from({ length: 45 }, (_, at) => at + 1));
  for (const one of answers) {
    if (one.status === 'refused') throw new Error(JSON.stringify(one));
    expect(one.status).toBe('added');
    expect((await readDevice(running, one.id)).urls).toEqual(one.urls);
  }
  const [, second] = answers;
  const url = second?.status === 'added' ? (second.urls.notify ?? '') : '';
  const woken = await wakeHandle(running, url.split('/').at(-1) ?? '', 'aa');
  expect(successOf(woken).status).toBe('delivered');
  expect(running.sandbox.received()).toMatchObject([{ token: 'phone-1:APA91b' }]);
});

test('the same lines again are known and keep ids and URLs, even if only half of them were imported before', async () => {
  const running = await start();
  const devices = Array.from({ length: 30 }, (_, number) => phone(number));
  const half = answersOf(await send(running, lines(devices.slice(0, 15))));
  const all = answersOf(await send(running, lines(devices)));
  expect(all.map(({ status }) => status)).toEqual([
    ...Array(15).fill('known'),
    ...Array(15).fill('added'),
  ]);
  expect(all.slice(0, 15)).toEqual(half.map((one) => ({ ...one, status: 'known' })));
  const again = answersOf(await send(running, lines(devices)));
  expect(again).toEqual(all.map((one) => ({ ...one, status: 'known' })));
});

test('a line twice in one body is one device', async () => {
  const running = await start();
  const [one, other] = answersOf(await send(running, lines([phone(1), phone(1)])));
  expect([one?.status, other?.status].toSorted()).toEqual(['added', 'known']);
  expect(one).toMatchObject({ id: other?.status === 'refused' ? '' : other?.id });
});

test('a bad line is refused by itself, and no value is repeated', async () => {
  const running = await start();
  const body = [
    JSON.stringify(phone(1)),
    '',
    'not JSON but a-secret-value',
    ' \t\r',
    JSON.stringify(phone(2, { platform: 'a-secret-value' })),
    JSON.stringify(phone(3, { app: 'a-secret-value' })),
    JSON.stringify(phone(4, { 'a-secret-value': 1 })).slice(0, -1),
    `{"platform":"android","token":"${'x'.repeat(70_000)}"}`,
    `${JSON.stringify(phone(5))}\r`,
  ].join('\n');
  const answer = await send(running, body);
  expect(answersOf(answer)).toMatchObject([
    { line: 1, status: 'added' },
    { line: 3, status: 'refused', code: 'bad_body', errors: [{ field: 'body' }] },
    { line: 5, status: 'refused', code: 'bad_body', errors: [{ field: 'platform' }] },
    { line: 6, status: 'refused', code: 'unknown_app' },
    { line: 7, status: 'refused', code: 'bad_body', errors: [{ field: 'body' }] },
    { line: 8, status: 'refused', code: 'bad_body', errors: [{ field: 'body' }] },
    { line: 9, status: 'added' },
  ]);
  expect(answer.text).not.toContain('a-secret-value');
});

test('takes 1,000 lines and 1 MiB, and no more', async () => {
  const running = await start();
  const many = lines(Array.from({ length: 1_001 }, (_, number) => phone(number)));
  expect(refusalOf(await send(running, many))).toBe('413 body_too_large');
  expect(refusalOf(await send(running, ' '.repeat(1_048_577)))).toBe('413 body_too_large');
  expect((await send(running, ' '.repeat(1_048_576))).text).toBe('');
  expect((await send(running, '')).text).toBe('');
});

test('when a limit is reached, the lines beyond it are refused', async () => {
  const running = await setup({
    environment: { ...OPERATOR_ENVIRONMENT, NDS_MAX_DEVICES_PER_USER: '2' },
  });
  const user = 'user-a';
  await registerPhone(running, { user });
  const body = lines([1, 2, 3].map((number) => phone(number, { user })));
  const statuses = answersOf(await send(running, body)).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual(['added', 'refused', 'refused']);
});

test('a key of the backend may import, too, without any key of the API', async () => {
  const running = await setup({ environment: REGISTRY_ENVIRONMENT });
  const key = REGISTRY_ENVIRONMENT.NDS_BACKEND_KEYS;
  expect(answersOf(await send(running, lines([phone(1)]), key))).toMatchObject([
    { line: 1, status: 'added' },
  ]);
  expect(refusalOf(await send(running, lines([phone(1)]), 'wrong'))).toBe('401 unauthorized');
});

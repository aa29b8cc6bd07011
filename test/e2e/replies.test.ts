// The device answers: its bytes go to the caller unchanged, its id is valid for one reply, and nothing else ever
// reaches the caller or stays in the database.

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  type Answer,
  askPhone,
  invoiceRequestBody,
  problemOf,
  refusalOf,
  reply,
  replyUrlOf,
  send,
} from '../support/callers.ts';
import { readDatabaseFiles } from '../support/database-files.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ANDROID_TOKEN, IOS_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const REPLY_PREFIX = '/api/v1/response/';

/** Asks, lets the phone answer, and returns what the caller and the phone got. */
async function exchange(
  running: Setup,
  request: string,
  body: string | Uint8Array,
): Promise<{ readonly caller: Answer; readonly phone: Answer }> {
  const before = running.sandbox.received().length;
  const asked = askPhone(running, { token: ANDROID_TOKEN, request });
  const pushes = await running.sandbox.waitFor(() => true, before + 1);
  const phone = await reply(running, pushes.at(-1), body);
  return { caller: await asked.answer, phone };
}

test('hands the device’s bytes to the caller unchanged, whatever they are', async () => {
  const running = await setup();
  const bodies: readonly (string | Uint8Array)[] = [
    '{"invoice":"lni1qq"}',
    '{"error":"no route"}',
    '',
    'not JSON at all',
    '{"status":"delivered", "broken',
    '\ufeff {"a" : 1}\r\n',
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    randomBytes(65_536),
  ];
  for (const [index, body] of bodies.entries()) {
    const { caller, phone } = await exchange(running, `request ${index}`, body);
    expect(phone.status).toBe(200);
    expect(phone.bytes).toHaveLength(0);
    expect(caller.status).toBe(200);
    expect(caller.headers['content-type']).toBe('application/json');
    expect(caller.bytes.equals(Buffer.from(body))).toBe(true);
  }
});

test('takes a reply of any content type, with its length or in chunks', async () => {
  const running = await setup();
  const kinds = [
    { 'content-type': 'text/html' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
    { 'content-encoding': 'identity' },
    {},
  ];
  for (const [index, headers] of kinds.entries()) {
    const asked = askPhone(running, { token: ANDROID_TOKEN, request: `request ${index}` });
    const push = (await running.sandbox.waitFor(() => true, index + 1)).at(-1);
    const body = `a=1&b=${index}`;
    const path = replyUrlOf(push).pathname;
    expect((await send(running.service.url, { path, headers, body })).status).toBe(200);
    expect((await asked.answer).text).toBe(body);
  }
});

test('refuses a reply of more than 64 KiB and keeps waiting for one that fits', async () => {
  const running = await setup();
  const asked = askPhone(running, { token: IOS_TOKEN, request: 'too large' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const path = replyUrlOf(push).pathname;
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const body = Buffer.alloc(65_537, 'a');
    const answer = await send(running.service.url, { path, headers, body });
    expect(refusalOf(answer)).toBe('413 body_too_large');
  }
  expect(running.service.load()).toMatchObject({ replyCallers: 1, replyIds: 1 });
  expect((await reply(running, push, 'fits')).status).toBe(200);
  expect((await asked.answer).text).toBe('fits');
});

test('answers used, unknown, malformed and expired ids with the same 404', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock });
  const { url } = running.service;
  const used = askPhone(running, { token: ANDROID_TOKEN, request: 'used' });
  const [usedPush] = await running.sandbox.waitFor(() => true, 1);
  await reply(running, usedPush, 'first');
  expect((await used.answer).text).toBe('first');
  const expired = askPhone(running, { token: ANDROID_TOKEN, request: 'expired' });
  const [, expiredPush] = await running.sandbox.waitFor(() => true, 2);
  clock.advance(50_000);
  expect(refusalOf(await expired.answer)).toBe('504 no_reply');
  const open = askPhone(running, { token: ANDROID_TOKEN, request: 'open' });
  const [, , openPush] = await running.sandbox.waitFor(() => true, 3);
  const openId = replyUrlOf(openPush).pathname.slice(REPLY_PREFIX.length);

  const ids = [
    replyUrlOf(usedPush).pathname.slice(REPLY_PREFIX.length),
    replyUrlOf(expiredPush).pathname.slice(REPLY_PREFIX.length),
    'AAAAAAAAAAAAAAAAAAAAAA',
    // As similar to an open one as possible.
    flipLast(openId),
    openId.slice(0, -1),
    `${openId}A`,
    openId.toLowerCase() === openId ? openId.toUpperCase() : openId.toLowerCase(),
    `${openId}%00`,
    '%zz',
    '1',
    'x'.repeat(5_000),
    '__proto__',
  ];
  const answers = await Promise.all(
    ids.map((id) => send(url, { path: `${REPLY_PREFIX}${id}`, body: 'guess' })),
  );
  const shapes = answers.map((answer) => {
    const { instance, ...rest } = problemOf(answer);
    const { date, 'request-id': requestId, ...headers } = answer.headers;
    expect(instance).toBe(`urn:uuid:${requestId}`);
    expect(date).toBeDefined();
    return JSON.stringify([answer.status, headers, rest, answer.text.length]);
  });
  expect(new Set(shapes).size).toBe(1);
  expect(answers[0]?.status).toBe(404);
  expect((await reply(running, openPush, 'still open')).status).toBe(200);
  expect((await open.answer).text).toBe('still open');
});

function flipLast(id: string): string {
  return `${id.slice(0, -1)}${id.endsWith('A') ? 'Q' : 'A'}`;
}

test('gives every reply an id of 128 bits in which nothing repeats', async () => {
  const running = await setup();
  const ids = Array.from({ length: 4_096 }, () => running.service.ids.secret());
  expect(ids.every((id) => /^[A-Za-z0-9_-]{22}$/.test(id))).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
  const bytes = ids.map((id) => Buffer.from(id, 'base64url'));
  expect(bytes.every((id) => id.length === 16)).toBe(true);
  // Each bit is set in half of the ids, and changes from one id to the next half of the time; 7 sigma is 224.
  for (let bit = 0; bit < 128; bit += 1) {
    const values = bytes.map((id) => ((id[bit >> 3] ?? 0) >> (bit & 7)) & 1);
    const set = values.filter((value) => value === 1).length;
    const changes = values.filter((value, index) => value !== values[index - 1]).length;
    expect(Math.abs(set - 2_048)).toBeLessThan(224);
    expect(Math.abs(changes - 2_048)).toBeLessThan(224);
  }

  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'id' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  expect(replyUrlOf(push).pathname.slice(REPLY_PREFIX.length)).toMatch(/^[A-Za-z0-9_-]{22}$/);
  await reply(running, push, '{}');
  await asked.answer;
});

test('makes the reply address from the configured one, never from what the caller claims', async () => {
  const running = await setup({
    environment: { NOTIFY_EXTERNAL_URL: 'https://push.example.org/nds//' },
  });
  const asked = send(running.service.url, {
    path: notifyPath(ANDROID_TOKEN),
    headers: {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
    },
    body: invoiceRequestBody('host'),
  });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const url = replyUrlOf(push);
  expect(url.href).toMatch(
    /^https:\/\/push\.example\.org\/nds\/api\/v1\/response\/[A-Za-z0-9_-]{22}$/,
  );
  const path = url.pathname.slice('/nds'.length);
  expect((await send(running.service.url, { path, body: 'ok' })).status).toBe(200);
  expect((await asked).text).toBe('ok');
});

test('says which setting is missing when the service does not know its own address', async () => {
  const running = await setup({ environment: { NOTIFY_EXTERNAL_URL: undefined } });
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'nowhere' });
  const answer = await asked.answer;
  expect(refusalOf(answer)).toBe('502 external_url_missing');
  expect(problemOf(answer).detail).toContain('NOTIFY_EXTERNAL_URL');
  expect(running.sandbox.requests()).toEqual([]);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
});

test('takes one reply; of two phones that answer, the first one counts', async () => {
  const running = await setup();
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'twice' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const replies = await Promise.all([
    reply(running, push, 'one'),
    reply(running, push, 'two'),
    reply(running, push, 'three'),
  ]);
  const taken = replies.filter((answer) => answer.status === 200);
  expect(taken).toHaveLength(1);
  expect(replies.filter((answer) => answer.status === 404)).toHaveLength(2);
  const winner = replies.findIndex((answer) => answer.status === 200);
  expect((await asked.answer).text).toBe(['one', 'two', 'three'][winner]);
});

test('answers a caller whose phone replies before the provider has acknowledged the push', async () => {
  const running = await setup({ clock: new ManualClock() });
  const { sandbox } = running;
  sandbox.script({ token: IOS_TOKEN, fault: { kind: 'delay', delayMs: 300 } });
  const phone = Promise.withResolvers<Answer>();
  sandbox.onPush((push) => {
    reply(running, push, 'quick').then(phone.resolve, phone.reject);
  });
  const answer = await askPhone(running, { token: IOS_TOKEN, request: 'quick' }).answer;
  expect(answer.text).toBe('quick');
  expect((await phone.promise).status).toBe(200);
  expect(running.log.events.map((event) => event.name)).not.toContain('attempt_ended');
  await running.log.waitFor((event) => event.name === 'delivery_settled');
  const [row] = await rowsAfterRestart(running);
  expect(row).toMatchObject({ status: 'delivered', attempts: [{ outcome: 'delivered' }] });
  expect(row?.answeredAtMs).toBeDefined();
});

test('logs when the push was requested, taken and answered, and how long the phone took', async () => {
  const clock = new ManualClock(1_760_000_000_000);
  const running = await setup({ clock });
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'timed' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  await running.log.waitFor((event) => event.name === 'delivery_settled');
  clock.advance(8_250);
  await reply(running, push, '{}');
  await asked.answer;
  expect(running.log.events.findLast((event) => event.name === 'reply_waited')).toMatchObject({
    end: 'answered',
    sincePushMs: 8_250,
  });
  const rows = await rowsAfterRestart(running);
  expect(rows).toMatchObject([
    {
      type: 'invoice_request',
      status: 'delivered',
      receivedAtMs: 1_760_000_000_000,
      attempts: [{ number: 1, startedAtMs: 1_760_000_000_000, latencyMs: 0 }],
      answeredAtMs: 1_760_000_008_250,
    },
  ]);
});

test('keeps neither the reply nor the id under which it came in any file', async () => {
  const running = await setup();
  const body = `{"invoice":"${'lni1secretinvoice'.repeat(20)}"}`;
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'request-nowhere-in-clear' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const id = replyUrlOf(push).pathname.slice(REPLY_PREFIX.length);
  await reply(running, push, body);
  expect((await asked.answer).text).toBe(body);
  const [row] = await rowsAfterRestart(running);
  expect(row?.answeredAtMs).toBeDefined();
  const secrets = ['lni1secretinvoice', id, 'request-nowhere-in-clear', ANDROID_TOKEN];
  for (const { name, bytes } of readDatabaseFiles(running.folder)) {
    expect(
      secrets.filter((secret) => bytes.includes(secret)),
      name,
    ).toEqual([]);
  }
  const said = JSON.stringify([running.log.events, running.log.lines]);
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
});

test('lets a caller wait through replies with wrong ids', async () => {
  const running = await setup();
  const asked = askPhone(running, { token: ANDROID_TOKEN, request: 'wrong id' });
  const [push] = await running.sandbox.waitFor(() => true, 1);
  const { pathname } = replyUrlOf(push);
  for (const path of [`${pathname}x`, pathname.slice(0, -1), `${pathname}//`, REPLY_PREFIX]) {
    expect(refusalOf(await send(running.service.url, { path, body: 'no' }))).toBe('404 not_found');
  }
  const headers = { 'content-encoding': 'gzip' };
  const packed = await send(running.service.url, { path: pathname, headers, body: 'no' });
  expect(refusalOf(packed)).toBe('415 unsupported_encoding');
  const wrong = await send(running.service.url, { method: 'GET', path: pathname });
  expect(refusalOf(wrong)).toBe('405 method_not_allowed');
  expect((await reply(running, push, 'right')).status).toBe(200);
  expect((await asked.answer).text).toBe('right');
});

/** A stop writes everything under way, so a new process reads all of it. */
async function rowsAfterRestart(running: Setup) {
  return await (await running.restart()).store.findDeliveries({ limit: 10 });
}

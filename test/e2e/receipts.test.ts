// Receipts over HTTP: the address in the push, the answer that is always the same, and what the log shows about them.

import { expect, test } from 'vitest';
import { z } from 'zod';
import type { ReceivedPush } from '../../sandbox/records.ts';
import { setupWithApps } from '../support/apps.ts';
import { type Answer, send } from '../support/callers.ts';
import { METRICS_ENVIRONMENT, metric } from '../support/metrics.ts';
import { OPERATOR_ENVIRONMENT, operate, told } from '../support/operator-calls.ts';
import { authorization, register } from '../support/registry.ts';
import {
  ANDROID_TOKEN,
  EXTERNAL_URL,
  IOS_TOKEN,
  notifyPath,
  type Setup,
  type SetupOptions,
} from '../support/service.ts';

const addressSchema = z.strictObject({
  r: z.string().startsWith(`${EXTERNAL_URL}/r/`),
  by: z.int(),
});

function withReceipts(settings: object = {}, options: SetupOptions = {}): Promise<Setup> {
  return setupWithApps(() => ({ default: { receipts: true, ...settings } }), options);
}

/** The path of a push's receipt, as the phone reads it. */
function pathOf(push: ReceivedPush | undefined, key = 'nds'): string {
  const { r } = addressSchema.parse(JSON.parse(push?.data[key] ?? 'null'));
  return r.slice(EXTERNAL_URL.length);
}

async function pushTo(running: Setup, token: string, hash: string) {
  const answer = await (await running.notify(token, hash)).json();
  const { id } = z.object({ id: z.string() }).parse(answer);
  return { id, path: pathOf(running.sandbox.received().at(-1)) };
}

function post(running: Setup, path: string, body?: string): Promise<Answer> {
  return send(running.service.url, { path, body: body ?? '' });
}

/** Everything in an answer from which a stranger could learn something. */
function shownBy({ status, headers, text }: Answer): unknown {
  const { date: _, 'request-id': __, ...others } = headers;
  return { status, headers: others, text };
}

async function wakeOf(running: Setup, deliveryId: string) {
  await running.service.settled();
  return await running.service.receipts.findWake(deliveryId);
}

test('a phone finds the address in its push by both providers, and the log shows what it says', async () => {
  const running = await withReceipts();
  for (const [index, token] of [IOS_TOKEN, ANDROID_TOKEN].entries()) {
    const { id, path } = await pushTo(running, token, `a${index}`);
    const answer = await post(running, path, '{"stage":"started","t":0}');
    expect(answer.status).toBe(204);
    expect(answer.text).toBe('');
    await post(running, path, '{"stage":"done","t":2100,"n":1,"shown":true}');
    const wake = await wakeOf(running, id);
    expect(wake?.acceptedAtMs).toEqual(expect.any(Number));
    expect(wake?.receipts).toEqual([
      expect.objectContaining({ stage: 'started', n: 1, sinceArrivalMs: 0 }),
      expect.objectContaining({ stage: 'done', n: 1, sinceArrivalMs: 2_100, isShown: true }),
    ]);
  }
  const taken = running.log.events.filter(({ name }) => name === 'receipt_taken');
  expect(taken).toHaveLength(4);
});

test('the metrics count every wake, and measure the wake times of races that the provider certainly took', async () => {
  const environment = { ...METRICS_ENVIRONMENT, ...OPERATOR_ENVIRONMENT };
  const running = await withReceipts({}, { environment });
  const counted = async () => {
    await running.service.settled();
    const names = ['nds_wakes_total', 'nds_wake_duration_seconds_count'];
    return await Promise.all(names.map((name) => metric(running, name)));
  };
  const { path } = await pushTo(running, ANDROID_TOKEN, 'a0');
  await post(running, path, '{"stage":"started"}');
  expect(await counted()).toEqual([1, 1]);

  const news = JSON.stringify({ template: 'tx_confirmed', data: { tx_id: 'aa' } });
  await running.post(notifyPath(ANDROID_TOKEN), news);
  await post(running, pathOf(running.sandbox.received().at(-1)), '{"stage":"started"}');
  expect(await counted()).toEqual([2, 1]);

  // The provider never answers: only the phone shows that it got the push.
  running.sandbox.script({ provider: 'fcm', times: 1, fault: { kind: 'hang', accepted: true } });
  const answer = running.notify(ANDROID_TOKEN, 'a1');
  await running.sandbox.waitFor(() => true, 3);
  await post(running, pathOf(running.sandbox.received().at(-1)), '{"stage":"started"}');
  expect((await answer).status).toBe(200);
  expect(await counted()).toEqual([3, 1]);
  const [row] = await running.service.store.findDeliveries({ limit: 1 });
  expect(told(await operate(running, { path: `/find?q=${row?.id}` }))).toMatchObject({
    verdict: {
      sentence: expect.stringMatching(/^Delivered: FCM did not confirm .*: the phone started at/),
    },
  });
  const history = await running.service.receipts.findHistory(row?.tokenHash ?? '');
  expect(history).toMatchObject({
    pushes: 3,
    recent: '111',
    wakesMs: [expect.any(Number), expect.any(Number)],
  });
});

test('the app chooses the name of the key', async () => {
  const running = await withReceipts({ keys: { receipt: 'wake' } });
  await running.notify(ANDROID_TOKEN, 'aa');
  const push = running.sandbox.received().at(-1);
  expect(pathOf(push, 'wake')).toMatch(/^\/r\//);
  expect(push?.data).not.toHaveProperty('nds');
});

test('a push without room is sent without the address, and the row says so', async () => {
  const running = await withReceipts();
  const body = (size: number) =>
    JSON.stringify({ template: 'nwc_event', data: { event: 'e'.repeat(size) } });
  const sizes = [3_500, 4_000];
  const ids: string[] = [];
  for (const size of sizes) {
    const answer = await running.post(notifyPath(ANDROID_TOKEN), body(size));
    ids.push(z.object({ id: z.string() }).parse(await answer.json()).id);
  }
  const [small, large] = running.sandbox.received();
  expect(small?.data).toHaveProperty('nds');
  expect(large?.data).not.toHaveProperty('nds');
  expect(await wakeOf(running, ids[0] ?? '')).toMatchObject({ isAsked: true });
  expect(await wakeOf(running, ids[1] ?? '')).toMatchObject({ isAsked: false });
});

test('gives the same answer to everything: wrong, foreign, incomplete, huge, compressed', async () => {
  const running = await withReceipts();
  const { id, path } = await pushTo(running, IOS_TOKEN, 'aa');
  await post(running, path, '{"stage":"started"}');
  const wrong = `${path.slice(0, -4)}AAAA`;
  const paths = [wrong, '/r/x', `/r/${'A'.repeat(43)}`, `/r/${'%00'.repeat(43)}`, `/r/${id}`];
  for (const body of ['{"stage":"done"}', '', '[[[[', '\u0000', 'x'.repeat(100_000)]) {
    const valid = shownBy(await post(running, path, body));
    expect(valid).toMatchObject({ status: 204, text: '' });
    for (const each of paths) {
      expect(shownBy(await post(running, each, body)), each).toEqual(valid);
    }
  }
  const compressed = await fetch(`${running.service.url}${path}`, {
    method: 'POST',
    headers: { 'content-encoding': 'gzip' },
    body: 'no gzip',
  });
  expect(compressed.status).toBe(204);
  expect((await fetch(`${running.service.url}${path}`)).status).toBe(405);
  const wake = await wakeOf(running, id);
  expect(wake?.receipts.map(({ stage }) => stage)).toEqual(['started', 'done']);
});

test('a body that is too long to be read ends its connection, so that no later call on it is lost', async () => {
  const running = await withReceipts();
  const { path } = await pushTo(running, IOS_TOKEN, 'aa');
  const connectionAfter = async (body: string) => {
    const headers = { connection: 'keep-alive' };
    return (await send(running.service.url, { path, headers, body })).headers.connection;
  };
  expect(await connectionAfter('x'.repeat(256))).toBe('keep-alive');
  expect(await connectionAfter('x'.repeat(257))).toBe('close');
  expect(await connectionAfter('x'.repeat(500_000))).toBe('close');
});

test('an address that guesses ids is counted, and its valid receipts still arrive', async () => {
  const running = await withReceipts();
  const { id, path } = await pushTo(running, IOS_TOKEN, 'aa');
  for (let guess = 0; guess < 40; guess += 1) await post(running, `/r/${'A'.repeat(43)}`);
  expect((await post(running, path, '{"stage":"connected"}')).status).toBe(204);
  expect((await wakeOf(running, id))?.receipts).toHaveLength(1);
  const said = running.log.lines.filter(({ level }) => level === 'warn' || level === 'info');
  expect(said).toContainEqual({
    ...{ level: 'info', message: 'invalid_receipts', fields: { count: 1 } },
  });
  expect(said).toContainEqual({
    ...{ level: 'warn', message: 'address_limited' },
    fields: { count: 1, limit: 'invalid receipts' },
  });
});

test('receipts survive a restart before or after them', async () => {
  const running = await withReceipts();
  const { id, path } = await pushTo(running, IOS_TOKEN, 'aa');
  await post(running, path, '{"stage":"started"}');
  await running.restart({ NDS_APPS: JSON.stringify({ default: { receipts: true } }) });
  await post(running, path, '{"stage":"done"}');
  const wake = await wakeOf(running, id);
  expect(wake?.receipts.map(({ stage }) => stage)).toEqual(['started', 'done']);
});

test('the registry tells how a device woke', async () => {
  const running = await withReceipts();
  const device = await register(running, { platform: 'ios', token: IOS_TOKEN });
  const shape = z.looseObject({ wakes: z.record(z.string(), z.unknown()).optional() });
  const url = `${running.service.url}/api/v1/devices/${device.id}`;
  const read = async () => {
    const response = await fetch(url, { headers: authorization() });
    return shape.parse(await response.json()).wakes;
  };
  expect(await read()).toBeUndefined();
  const { path } = await pushTo(running, IOS_TOKEN, 'aa');
  await post(running, path, '{"stage":"started","priority":"normal","original":"high"}');
  await pushTo(running, IOS_TOKEN, 'bb');
  await running.service.settled();
  expect(await read()).toEqual({
    answered: 1,
    pushes: 2,
    last_wake_at: expect.stringMatching(/Z$/),
    demoted_at: expect.stringMatching(/Z$/),
  });
});

test('settings that cannot work are refused at the start', async () => {
  const running = await withReceipts();
  const restart = (settings: object, others: Record<string, string> = {}) =>
    running.restart({ NDS_APPS: JSON.stringify({ default: settings }), ...others });
  await expect(restart({ receipts: true }, { NOTIFY_EXTERNAL_URL: '' })).rejects.toThrow(
    /NOTIFY_EXTERNAL_URL is required by NDS_APPS: default: receipts/,
  );
  await expect(restart({ second_knock: true })).rejects.toThrow(
    /NDS_APPS: default: second_knock needs receipts: true/,
  );
  await restart({ receipts: true, second_knock: true });
});

test('find and the API say whether the phone woke, and when', async () => {
  const running = await withReceipts({}, { environment: OPERATOR_ENVIRONMENT });
  const { id, path } = await pushTo(running, ANDROID_TOKEN, 'aa');
  await post(running, path, '{"stage":"started","t":0}');
  await post(running, path, '{"stage":"failed","why":"quota"}');
  await running.service.settled();
  const read = async (path: string) => told(await operate(running, { path }));
  const wake = {
    ...{ conclusion: 'woke', stage: 'failed', why: 'quota' },
    receipts: [{ stage: 'started', t: 0 }, { stage: 'failed' }],
  };
  expect(await read(`/deliveries/${id}`)).toMatchObject({ id, wake });
  const found = await read(`/find?q=${id}`);
  expect(found).toMatchObject({
    verdict: {
      code: 'delivered',
      sentence: expect.stringMatching(/Google took it .*, failed \(quota\) at/),
    },
    deliveries: [{ id, wake }],
  });
  const said = z.object({ timeline: z.array(z.object({ what: z.string(), text: z.string() })) });
  const { timeline } = said.parse(found);
  expect(timeline.filter(({ what }) => what === 'phone').map(({ text }) => text)).toEqual([
    'started',
    'failed (quota)',
  ]);
});

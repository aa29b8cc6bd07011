// Connections of callers to the whole service: too many of them, callers that send more requests than they read
// answers, and callers that close their side.

import { once } from 'node:events';
import { expect, test } from 'vitest';
import { liveHeapBytes } from '../fuzz/run.ts';
import { askPhone, invoiceRequestBody, reply } from '../support/callers.ts';
import { paymentBody } from '../support/device-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RawSocket, rawPost } from '../support/raw-socket.ts';
import { ANDROID_TOKEN, notifyPath, type Setup, setup } from '../support/service.ts';

const TEN_SECONDS = 10_000;
const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
const PATH = notifyPath(ANDROID_TOKEN);
const MEGABYTE = 1_024 * 1_024;

const open = ({ service }: Setup) => RawSocket.open(service.url);

async function expectHealthy(running: Setup): Promise<void> {
  const raw = await open(running);
  raw.write(HEALTH);
  expect(await raw.head()).toContain('200 OK');
}

test('a connection that finds no room is closed, reported at once and then every ten seconds', async () => {
  const clock = new ManualClock();
  const running = await setup({ clock, environment: { NDS_MAX_CONNECTIONS: '2' } });
  const reported = () =>
    running.log.lines
      .filter(({ message }) => message === 'connections_refused')
      .map(({ level, fields }) => ({ level, ...fields }));
  const refuse = async () => expect(await (await open(running)).untilEnd()).toBe('');
  const waiting = ['first', 'second'].map((request) =>
    askPhone(running, { token: ANDROID_TOKEN, request }),
  );
  const pushes = await running.sandbox.waitFor(() => true, 2);
  for (let number = 0; number < 3; number += 1) await refuse();
  expect(reported()).toEqual([{ level: 'error', count: 1, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(reported().slice(1)).toEqual([{ level: 'error', count: 2, max: 2 }]);
  clock.advance(TEN_SECONDS);
  expect(reported()).toHaveLength(2);
  await refuse();
  expect(reported().slice(2)).toEqual([{ level: 'error', count: 1, max: 2 }]);
  await waiting[0]?.hangUp();
  await running.log.waitFor((event) => event.name === 'reply_waited' && event.end === 'hung_up');
  expect((await reply(running, pushes[1], 'answer')).status).toBe(200);
  expect((await waiting[1]?.answer)?.text).toBe('answer');
});

test('silent and half-sent connections cause no refusals, and an incomplete body is not logged as a fault of the service', async () => {
  const running = await setup({ environment: { NDS_MAX_CONNECTIONS: '100' } });
  const half = rawPost(PATH, paymentBody('half')).slice(0, -5);
  const chunked = `POST ${PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab`;
  for (let number = 0; number < 150; number += 1) {
    const raw = await open(running);
    raw.write(['', 'POST /', half, chunked][number % 4] ?? '');
  }
  for (let number = 0; number < 10; number += 1) {
    const raw = await open(running);
    raw.write(rawPost(PATH, paymentBody(`payment ${number}`)));
    expect(await raw.head()).toMatch(/delivery-status: delivered/);
  }
  const loud = running.log.lines.filter(({ level, message }) => {
    return level === 'error' || message === 'connections_refused';
  });
  expect(loud).toEqual([]);
});

test('callers that close their side after the call get their answer', async () => {
  const running = await setup();
  const payment = await open(running);
  payment.socket.end(rawPost(PATH, paymentBody('one')));
  expect(await payment.untilEnd()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*delivery-status: delivered/);
  const question = await open(running);
  question.socket.end(rawPost(PATH, invoiceRequestBody('request')));
  const [, push] = await running.sandbox.waitFor(() => true, 2);
  expect((await reply(running, push, 'the invoice')).status).toBe(200);
  expect(await question.untilEnd()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*the invoice$/);
});

test('nothing is pushed for calls that follow an answer which ends its connection', async () => {
  const running = await setup();
  const second = rawPost(PATH, paymentBody('second'));
  const firsts = [
    rawPost(PATH, paymentBody('close'), ['Connection: close']),
    rawPost(PATH, paymentBody('old')).replace('HTTP/1.1', 'HTTP/1.0'),
    rawPost(PATH, 'x'.repeat(70_000)),
  ];
  for (const first of firsts) {
    const raw = await open(running);
    raw.write(first + second);
    expect((await raw.untilEnd()).match(/HTTP\/1\.1 /g), first.slice(0, 300)).toHaveLength(1);
  }
  await running.service.settled();
  expect(running.sandbox.received()).toHaveLength(2);
});

test('callers that pipeline and read nothing cost bounded memory, and few pushes', async () => {
  const running = await setup();
  const before = liveHeapBytes();
  const raws: RawSocket[] = [];
  for (let number = 0; number < 300; number += 1) {
    const raw = await open(running);
    raw.socket.pause();
    const calls = Array.from({ length: 300 }, (_, call) =>
      rawPost(`${PATH}-${number % 50}`, paymentBody(`${number} ${call}`)),
    );
    raw.write(calls.join(''));
    raws.push(raw);
  }
  await expectHealthy(running);
  await running.service.settled();
  expect((liveHeapBytes() - before) / MEGABYTE).toBeLessThan(60);
  // More requests on the connections that are still open, within the limit of what may wait.
  for (const { socket } of raws) if (socket.writable) socket.write(HEALTH.repeat(10));
  await expectHealthy(running);
  await running.service.settled();
  expect((liveHeapBytes() - before) / MEGABYTE).toBeLessThan(60);
  expect(running.sandbox.received().length).toBeLessThanOrEqual(300);
  for (const { socket } of raws) {
    socket.destroy();
    if (!socket.closed) await once(socket, 'close');
  }
});

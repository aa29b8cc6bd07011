// Calls to receivers that behave badly: bounded in time and size, no redirect followed.

import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { parseNetwork } from '../../src/endpoints/address.ts';
import { createEventSender } from '../../src/endpoints/event-sender.ts';
import { portOf, startReceiver } from '../support/event-receiver.ts';
import { ManualClock } from '../support/manual-clock.ts';

const LOOPBACK = parseNetwork('127.0.0.0/8');
const BODY = '{"type":"test.ping","timestamp":"2026-11-26T03:00:00.000Z","data":{}}';

function setup() {
  const clock = new ManualClock();
  const networks = LOOPBACK === undefined ? [] : [LOOPBACK];
  const sender = createEventSender({ clock, networks });
  onTestFinished(() => sender.close());
  return { clock, send: (url: string) => sender.send({ url, headers: {}, body: BODY }) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  return `http://127.0.0.1:${portOf(server)}/`;
}

test('a receiver that hangs is given up after 15 s', async () => {
  const { clock, send } = setup();
  const arrived = Promise.withResolvers<void>();
  const url = await listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => arrived.resolve());
    }),
  );
  const sending = send(url);
  await arrived.promise;
  clock.advance(14_999);
  clock.advance(1);
  expect(await sending).toEqual({ kind: 'failed', reason: 'timeout' });
});

test('a receiver that sends its header slowly is given up, too', async () => {
  const { clock, send } = setup();
  const arrived = Promise.withResolvers<void>();
  const url = await listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nx-a: ', () => arrived.resolve());
      });
    }),
  );
  const sending = send(url);
  await arrived.promise;
  clock.advance(15_000);
  expect(await sending).toEqual({ kind: 'failed', reason: 'timeout' });
});

test('a receiver that closes early, or refuses, has failed', async () => {
  const { send } = setup();
  const url = await listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.destroy());
    }),
  );
  expect(await send(url)).toEqual({ kind: 'failed', reason: 'connection_lost' });
  const closed = createServer();
  const gone = await listen(closed);
  await new Promise<void>((resolve) => {
    closed.close(() => resolve());
  });
  expect(await send(gone)).toEqual({ kind: 'failed', reason: 'connection_refused' });
});

test('an answer without end is cut off, and its status counts', async () => {
  const { send } = setup();
  const receiver = await startReceiver();
  const closed = Promise.withResolvers<void>();
  receiver.answer = (response) => {
    response.on('close', () => closed.resolve());
    response.writeHead(200);
    const more = () => {
      if (!response.destroyed) response.write('x'.repeat(65_536), () => setImmediate(more));
    };
    more();
  };
  expect(await send(receiver.url)).toEqual({ kind: 'answered', status: 200 });
  await closed.promise;
});

test('a redirect is an answer and is not followed', async () => {
  const { send } = setup();
  const [receiver, other] = [await startReceiver(), await startReceiver()];
  receiver.answer = (response) => response.writeHead(302, { location: other.url }).end();
  expect(await send(receiver.url)).toEqual({ kind: 'answered', status: 302 });
  expect(other.received).toEqual([]);
});

test('reads Retry-After', async () => {
  const { send } = setup();
  const receiver = await startReceiver();
  receiver.answer = (response) => response.writeHead(429, { 'retry-after': '7' }).end();
  expect(await send(receiver.url)).toEqual({ kind: 'answered', status: 429, retryAfterMs: 7_000 });
});

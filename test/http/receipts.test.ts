// When a receipt is processed: after its answer, whatever its id, and also if the phone has gone.

import type { ServerResponse } from 'node:http';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import type { EventNamed } from '../../src/core/ports/observer.ts';
import { Buckets } from '../../src/core/tokens/limits.ts';
import type { HttpEnv } from '../../src/http/context.ts';
import { createClientAddressOf } from '../../src/http/limits/client-address.ts';
import { handleReceipt } from '../../src/http/receipts.ts';
import { startServer } from '../../src/http/server.ts';
import { createSystemIds } from '../../src/service/system.ts';
import { send } from '../support/callers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RawSocket } from '../support/raw-socket.ts';

const LIMIT = { burst: 1, perSecond: 1 };

interface Taken {
  readonly id: string;
  readonly body: string;
  /** Whether the answer was already sent when the id was checked. */
  readonly isAnswered: boolean;
}

async function setup() {
  const clock = new ManualClock();
  const taken: Taken[] = [];
  const invalid: { isAnswered: boolean; isLimited: boolean }[] = [];
  const faults: EventNamed<'internal_fault'>[] = [];
  let outgoing: ServerResponse | undefined;
  const isAnswered = () => outgoing?.writableFinished === true;
  const parts = {
    receipts: {
      take: (id: string, body: Uint8Array) => {
        taken.push({ id, body: Buffer.from(body).toString(), isAnswered: isAnswered() });
        if (id === 'faulty') throw new Error('a fault of our own');
        return id === 'valid';
      },
    },
    clientAddressOf: createClientAddressOf('x-real-ip'),
    invalid: new Buckets(clock, LIMIT, 10),
    onInvalid: ({ isLimited }: { isLimited: boolean }) =>
      invalid.push({ isAnswered: isAnswered(), isLimited }),
    observer: {
      observe: (event: EventNamed<'internal_fault'>) => faults.push(event),
    },
  };
  const app = new Hono<HttpEnv>();
  app.post('/r/:id', (c) => {
    outgoing = c.env.outgoing;
    return handleReceipt(parts, c);
  });
  const options = { host: '127.0.0.1', port: 0, maxConnections: 10, onRefused: () => {} };
  const ids = createSystemIds(clock, Buffer.alloc(32));
  const server = await startServer(app, { clock, ids }, options);
  onTestFinished(async () => {
    server.destroy();
    await server.close();
  });
  return { url: `http://127.0.0.1:${server.port}`, clock, taken, invalid, faults };
}

test('an id is checked after its answer is sent, so that the time reveals nothing about it', async () => {
  const { url, taken, invalid } = await setup();
  for (const id of ['valid', 'guessed']) {
    expect((await send(url, { path: `/r/${id}`, body: id })).status).toBe(204);
    // The answer was read, so everything that belongs to it has happened.
    expect(taken.at(-1)).toEqual({ id, body: id, isAnswered: true });
  }
  expect(invalid).toEqual([{ isAnswered: true, isLimited: false }]);
});

test('a receipt counts even if the phone breaks the connection within its body', async () => {
  const { url, taken } = await setup();
  const phone = await RawSocket.open(url);
  phone.write('POST /r/valid HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"stage"');
  await new Promise((resolve) => setImmediate(resolve));
  phone.socket.destroy();
  while (taken.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(taken).toEqual([{ id: 'valid', body: '{"stage"', isAnswered: false }]);
});

test('a bug is reported and stops nothing', async () => {
  const { url, taken, faults } = await setup();
  expect((await send(url, { path: '/r/faulty', body: '' })).status).toBe(204);
  expect(faults).toMatchObject([{ name: 'internal_fault', where: 'receipts' }]);
  expect((await send(url, { path: '/r/valid', body: '' })).status).toBe(204);
  expect(taken).toHaveLength(2);
});

test('invalid ids are limited for each address separately, and after a second one more is checked', async () => {
  const { url, clock, invalid } = await setup();
  const guess = async (address: string) => {
    const headers = { 'x-real-ip': address };
    expect((await send(url, { path: '/r/guessed', body: '', headers })).status).toBe(204);
    return invalid.at(-1)?.isLimited;
  };
  expect(await guess('192.0.2.1')).toBe(false);
  expect(await guess('192.0.2.1')).toBe(true);
  expect(await guess('192.0.2.2')).toBe(false);
  expect(await guess('192.0.2.2')).toBe(true);
  clock.advance(1_000);
  expect(await guess('192.0.2.1')).toBe(false);
  expect(await guess('192.0.2.1')).toBe(true);
  expect(await guess('192.0.2.2')).toBe(false);
});

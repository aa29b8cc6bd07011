// What happens to connections that send nothing, too little or too much.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server } from 'node:http';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import type { HttpEnv } from '../../src/http/context.ts';
import { startServer } from '../../src/http/server.ts';
import { createSystemIds } from '../../src/service/system.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RawSocket, rawPost } from '../support/raw-socket.ts';

const HEADERS_MS = 300;
const GET = 'GET /quick HTTP/1.1\r\nHost: a\r\n\r\n';

/** A server whose `/slow` answers when the test says so. */
async function setup(
  maxConnections = 100,
  times: { headersMs?: number } = { headersMs: HEADERS_MS },
) {
  const clock = new ManualClock();
  const ids = createSystemIds(clock, Buffer.alloc(32));
  const asked: string[] = [];
  const releases: (() => void)[] = [];
  const app = new Hono<HttpEnv>();
  app.get('/quick', (c) => c.text('quick'));
  app.onError((_error, c) => c.text('broke off', 400));
  app.all('/slow', async (c) => {
    asked.push(await c.req.text());
    await new Promise<void>((resolve) => releases.push(resolve));
    return c.text(`slow ${asked.length}`);
  });
  let refused = 0;
  const server = await startServer(
    app,
    { clock, ids },
    {
      host: '127.0.0.1',
      port: 0,
      ...times,
      maxConnections,
      onRefused: () => {
        refused += 1;
      },
    },
  );
  onTestFinished(async () => {
    for (const release of releases) release();
    server.destroy();
    await server.close();
  });
  const open = () => RawSocket.open(`http://127.0.0.1:${server.port}`);
  const untilAsked = async (times: number) => {
    while (asked.length < times) await new Promise((resolve) => setImmediate(resolve));
  };
  const release = async () => {
    while (releases.length === 0) await new Promise((resolve) => setImmediate(resolve));
    releases.shift()?.();
  };
  return { clock, server, open, asked, untilAsked, release, refused: () => refused };
}

test('a head has 10 s and a whole request 30 s, which is looked at every second', async () => {
  const { open, server } = await setup(100, {});
  const served: Server[] = [];
  const note = (message: unknown) => served.push((message as { readonly server: Server }).server);
  subscribe('http.server.request.start', note);
  onTestFinished(() => {
    unsubscribe('http.server.request.start', note);
  });
  const raw = await open();
  raw.write(GET);
  await raw.head();
  expect(served).toHaveLength(1);
  expect(served[0]?.address()).toMatchObject({ port: server.port });
  expect(served[0]).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 1_000,
  });
});

test('a connection that sends nothing is closed without an answer', async () => {
  const { open } = await setup();
  const silent = await open();
  expect(await silent.untilEnd()).toBe('');
});

test('one that sends half a request gets an answer, and is destroyed even if it never closes its side', async () => {
  const { clock, open } = await setup();
  const half = await open();
  half.write('POST /slow HTTP/1.1\r\nHost');
  expect(await half.untilEnd()).toContain('"code":"bad_request"');
  expect(half.socket.closed).toBe(false);
  clock.advance(1_000);
  // The connection is gone, so the next bytes cause a reset.
  const gone = new Promise((resolve) => half.socket.once('close', resolve));
  half.write(': a\r\n');
  await new Promise((resolve) => setImmediate(resolve));
  half.write('\r\n');
  await gone;
  expect(clock.timers).toBe(0);
});

test('a half-sent request after a complete one has the same time limit', async () => {
  const { clock, open } = await setup();
  const raw = await open();
  raw.write(`${GET}GET /quick HT`);
  expect(await raw.untilEnd()).toMatch(/^HTTP\/1\.1 200 [\s\S]*"bad_request"/);
  clock.advance(1_000);
});

test('silent, half-sent and idle connections are closed for new ones, those that wait for an answer stay', async () => {
  const { open, untilAsked, release, refused } = await setup(4);
  const waiting = await open();
  waiting.write(rawPost('/slow', 'body'));
  await untilAsked(1);
  const halfHead = await open();
  halfHead.write('GET /quick HTTP/1.1\r\n');
  const halfBody = await open();
  halfBody.write('POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc');
  const silent = await open();
  // Each new connection replaces the one that was silent longest.
  for (let times = 0; times < 10; times += 1) {
    const newcomer = await open();
    newcomer.write(GET);
    expect(await newcomer.head()).toContain('200 OK');
  }
  await Promise.all([halfHead, halfBody, silent].map((gone) => gone.untilEnd()));
  await release();
  expect(await waiting.head()).toContain('200 OK');
  expect(refused()).toBe(0);
});

test('600 silent connections cause no refusals', async () => {
  const { open, refused } = await setup(500);
  const silent = [];
  for (let number = 0; number < 600; number += 1) silent.push(open());
  await Promise.all(silent);
  for (let number = 0; number < 20; number += 1) {
    const raw = await open();
    raw.write(GET);
    expect(await raw.head()).toContain('200 OK');
  }
  expect(refused()).toBe(0);
});

test('when all wait for an answer, one more is closed', async () => {
  const { open, untilAsked, release, refused } = await setup(2);
  const waiting = [await open(), await open()];
  for (const raw of waiting) raw.write(rawPost('/slow', 'x'));
  await untilAsked(2);
  const newcomer = await open();
  newcomer.write(GET);
  expect(await newcomer.untilEnd()).toBe('');
  expect(refused()).toBe(1);
  await release();
  await release();
  for (const raw of waiting) expect(await raw.head()).toContain('200 OK');
});

test('the requests of one connection are handled one after the other', async () => {
  const { open, asked, untilAsked, release } = await setup();
  const raw = await open();
  raw.write(rawPost('/slow', 'first') + rawPost('/slow', 'second') + GET);
  await untilAsked(1);
  const other = await open();
  other.write(GET);
  await other.head();
  expect(asked).toEqual(['first']);
  await release();
  await untilAsked(2);
  await release();
  for (const length of [6, 6, 5]) {
    expect(await raw.head()).toContain(`Content-Length: ${length}`);
  }
});

test('a request after `connection: close` is not handled', async () => {
  const { open, asked, untilAsked, release } = await setup();
  const first = rawPost('/slow', 'first', ['Connection: close']);
  const raw = await open();
  raw.write(first + rawPost('/slow', 'second'));
  await untilAsked(1);
  await release();
  expect((await raw.untilEnd()).match(/HTTP\/1\.1/g)).toHaveLength(1);
  const other = await open();
  other.write(GET);
  await other.head();
  expect(asked).toEqual(['first']);
});

test('a request before bytes that are not HTTP gets its answer, and the bytes get none', async () => {
  const garbage = [
    'BREW / HTTP/9\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
    `${GET}garbage\r\n\r\n`,
    'GET /quick HTTP/1.1\r\nHo',
  ];
  for (const bytes of garbage) {
    const { open, untilAsked, release } = await setup();
    const raw = await open();
    raw.write(rawPost('/slow', 'first') + bytes);
    await untilAsked(1);
    // The half head reaches its time limit while the answer is on its way.
    if (bytes.endsWith('Ho')) await new Promise((resolve) => setTimeout(resolve, 1_500));
    await release();
    const answers = (await raw.untilEnd()).split(/(?=HTTP\/1\.1 )/);
    const statuses = answers.map((answer) => answer.slice(9, 12));
    expect(statuses, bytes).toEqual(bytes.startsWith(GET) ? ['200', '200'] : ['200']);
    expect(answers.at(-1), bytes).toMatch(/connection: close/i);
  }
});

test('a caller that closes its side after its request gets the answer', async () => {
  const { open, untilAsked, release } = await setup();
  const raw = await open();
  raw.socket.end(rawPost('/slow', 'last words'));
  await untilAsked(1);
  await release();
  expect(await raw.untilEnd()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*slow 1$/);
});

test('closing ends idle connections at once and the others after their answers', async () => {
  const { server, open, untilAsked, release } = await setup();
  const silent = await open();
  const idle = await open();
  idle.write(GET);
  await idle.head();
  const waiting = await open();
  waiting.write(rawPost('/slow', 'x') + GET);
  await untilAsked(1);
  const isClosed = server.close();
  await Promise.all([silent.untilEnd(), idle.untilEnd()]);
  await release();
  expect(await waiting.untilEnd()).toMatch(/connection: close/i);
  waiting.socket.end();
  await isClosed;
});

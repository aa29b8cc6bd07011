// The transport alone, against peers that no sandbox plays: silent, foreign, verbose, and half-dead.

import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { trustAlso } from '../../src/providers/transport/connect.ts';
import { Transport, type TransportEvent } from '../../src/providers/transport/transport.ts';
import { sharedIdentity } from '../../src/sandbox/identity.ts';
import { createSystemClock } from '../../src/system.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { turn } from './support.ts';

const identity = await sharedIdentity();
const tls = { key: identity.certificateKey, cert: identity.certificate };
const authorities = trustAlso(identity.ca);
const REQUEST = { headers: { ':method': 'POST', ':path': '/' }, body: '{}' };

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `https://127.0.0.1:${address.port}`;
}

function open(origin: string, options: { clock?: Clock; maxConcurrentStreams?: number } = {}) {
  const events: TransportEvent[] = [];
  const transport = new Transport({
    origin: new URL(origin),
    authorities,
    clock: options.clock ?? createSystemClock(),
    maxConcurrentStreams: options.maxConcurrentStreams ?? 100,
    keepWarm: true,
    onEvent: (event) => events.push(event),
  });
  return { transport, events };
}

function openHttp2(onStream: (stream: ServerHttp2Stream) => void) {
  const server = createSecureServer(tls);
  server.on('sessionError', () => undefined);
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    onStream(stream);
  });
  return listen(server);
}

it('gives up a peer that never answers the handshake, and everyone who waits for it', async () => {
  const clock = new ManualClock();
  const { transport } = open(await listen(createServer()), { clock });
  const outcomes = [transport.request(REQUEST, 2_000), transport.request(REQUEST, 5_000)];
  const warm = transport.warm();
  clock.advance(1_500);
  const failure = { kind: 'failure', reason: 'connect_timeout' };
  expect(await Promise.all(outcomes)).toEqual([failure, failure]);
  expect(await warm).toBe('connect_timeout');
  await transport.close();
  expect(clock.timers).toBe(0);
});

it('knows a server without HTTP/2', async () => {
  const { transport } = open(await listen(createTlsServer(tls)));
  expect(await transport.request(REQUEST, 2_000)).toEqual({ kind: 'failure', reason: 'not_http2' });
  await transport.close();
});

it('knows a server without TLS', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const { transport } = open(await listen(server));
  expect(await transport.request(REQUEST, 2_000)).toEqual({
    kind: 'failure',
    reason: 'tls_failed',
  });
  await transport.close();
});

it('knows a name that does not exist', async () => {
  const { transport } = open('https://nowhere.invalid');
  expect(await transport.request(REQUEST, 2_000)).toEqual({
    kind: 'failure',
    reason: 'dns_failed',
  });
  await transport.close();
});

it('reads at most 64 KiB of an answer', async () => {
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 502 });
    stream.end('x'.repeat(1_000_000));
  });
  const { transport, events } = open(origin);
  const result = await transport.request(REQUEST, 2_000);
  expect(result).toMatchObject({ kind: 'answer', status: 502 });
  expect(result.kind === 'answer' ? result.body.length : 0).toBe(65_536);
  expect((await transport.request(REQUEST, 2_000)).kind).toBe('answer');
  expect(events).toEqual([{ kind: 'connected' }]);
  await transport.close();
});

it('does not guess what an error without its body meant', async () => {
  const sockets: Socket[] = [];
  const server = createSecureServer(tls);
  server.on('connection', (socket: Socket) => sockets.push(socket));
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 410 });
    stream.write('{"reason":', () => {
      for (const socket of sockets) socket.resetAndDestroy();
    });
  });
  const { transport } = open(await listen(server));
  expect(await transport.request(REQUEST, 2_000)).toEqual({
    kind: 'failure',
    reason: 'connection_lost',
  });
  await transport.close();
});

it('takes a 200 for a 200 although its body never ends', async () => {
  const clock = new ManualClock();
  const started = Promise.withResolvers<void>();
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200, 'x-id': '7' });
    stream.write('{"name":');
    started.resolve();
  });
  const { transport } = open(origin, { clock });
  const result = transport.request(REQUEST, 1_000);
  await started.promise;
  // The headers have to arrive before the deadline does.
  for (let turns = 0; turns < 50; turns += 1) await turn();
  clock.advance(1_000);
  expect(await result).toMatchObject({ kind: 'answer', status: 200, headers: { 'x-id': '7' } });
  await transport.close();
});

it('sends the first request alone until the peer says how many it takes', async () => {
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 2 } });
  let most = 0;
  server.on('stream', (stream: ServerHttp2Stream) => {
    streams.push(stream);
    most = Math.max(most, streams.filter(({ closed }) => !closed).length);
    stream.respond({ ':status': 200 });
    setImmediate(() => stream.end());
  });
  const { transport } = open(await listen(server));
  const results = await Promise.all(
    Array.from({ length: 20 }, () => transport.request(REQUEST, 2_000)),
  );
  expect(results.every(({ kind }) => kind === 'answer')).toBe(true);
  expect(most).toBeLessThanOrEqual(2);
  await transport.close();
});

it('says that a request cannot be written, and carries on', async () => {
  const origin = await openHttp2((stream) =>
    stream.respond({ ':status': 200 }, { endStream: true }),
  );
  const { transport } = open(origin);
  const bad = { headers: { ...REQUEST.headers, connection: 'close' }, body: '' };
  expect(await transport.request(bad, 2_000)).toEqual({
    kind: 'failure',
    reason: 'request_invalid',
  });
  expect(await transport.request(REQUEST, 2_000)).toMatchObject({ status: 200 });
  await transport.close();
});

it('bounds the number of those who wait', async () => {
  const clock = new ManualClock();
  const { transport } = open(await listen(createServer()), { clock });
  const waiting = Array.from({ length: 10_000 }, () => transport.request(REQUEST, 1_000));
  expect(await transport.request(REQUEST, 1_000)).toEqual({
    kind: 'failure',
    reason: 'too_many_waiting',
  });
  clock.advance(1_000);
  const results = await Promise.all(waiting);
  expect(new Set(results.map((result) => JSON.stringify(result)))).toEqual(
    new Set(['{"kind":"failure","reason":"timeout_waiting"}']),
  );
  clock.advance(500);
  await transport.close();
  expect(clock.timers).toBe(0);
});

/** Forwards bytes until told to stall: then it neither reads nor writes, as a dead path does. */
async function openStallingProxy(target: string) {
  const port = Number(new URL(target).port);
  const ends: string[] = [];
  const inbound: Socket[] = [];
  let stalled = false;
  const server = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    inbound.push(socket);
    socket.on('error', ({ message }) => ends.push(message));
    upstream.on('error', () => undefined);
    socket.on('close', () => upstream.destroy());
    socket.on('data', (chunk) => stalled || upstream.write(chunk));
    upstream.on('data', (chunk) => stalled || socket.write(chunk));
  });
  return {
    origin: await listen(server),
    ends,
    stall: () => {
      stalled = true;
      for (const socket of inbound) socket.pause();
    },
    resume: () => {
      for (const socket of inbound) socket.resume();
    },
  };
}

it('takes unsent bytes back by a reset, not by a close that would still deliver them', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const target = await openHttp2((stream) => {
    stream.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const proxy = await openStallingProxy(target);
  const { transport } = open(proxy.origin, { clock });
  await transport.request({ ...REQUEST, body: 'first' }, 1_000);
  proxy.stall();
  const result = transport.request({ ...REQUEST, body: 'second' }, 300);
  await turn();
  clock.advance(300);
  expect(await result).toEqual({ kind: 'failure', reason: 'timeout' });
  proxy.resume();
  while (proxy.ends.length === 0) await turn();
  expect(proxy.ends).toEqual([expect.stringContaining('ECONNRESET')]);
  expect(seen).toEqual(['first']);
  await transport.close();
});

it('reconnects unasked when a used connection ends, so that the next request finds one', async () => {
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const { transport, events } = open(origin);
  await transport.request(REQUEST, 1_000);
  transport.retire();
  expect(await transport.warm()).toBeUndefined();
  expect(events).toEqual([
    { kind: 'connected' },
    { kind: 'connection_ended', why: 'retired', carried: 1 },
    { kind: 'connected' },
  ]);
  await transport.close();
});

it('does not reconnect unasked to a peer that closes every connection unused', async () => {
  const { transport, events } = open(await openHttp2(() => undefined));
  await transport.warm();
  transport.retire();
  await transport.close();
  expect(events).toEqual([
    { kind: 'connected' },
    { kind: 'connection_ended', why: 'retired', carried: 0 },
  ]);
});

it('leaves no socket and no timer behind', async () => {
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const clock = new ManualClock();
  const before = sockets();
  const { transport } = open(origin, { clock });
  await Promise.all(Array.from({ length: 10 }, () => transport.request(REQUEST, 1_000)));
  await transport.close();
  while (sockets() > before) await turn();
  expect(clock.timers).toBe(0);
});

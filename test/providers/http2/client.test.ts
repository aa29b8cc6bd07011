// The client alone, against peers that no sandbox plays: silent ones, other protocols, too long answers, half-dead
// connections.

import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../support.ts';
import { listen, openClient, openHttp2, openStallingProxy, REQUEST, tls } from './peers.ts';

it('gives up a peer that never answers the handshake, and every request that waits for it', async () => {
  const clock = new ManualClock();
  const { client, request } = openClient(await listen(createServer()), { clock });
  const outcomes = [request(), request({ timeoutMs: 5_000 })];
  const warm = client.warm();
  clock.advance(1_800);
  const failure = { kind: 'failure', reason: 'connect_timeout' };
  expect(await Promise.all(outcomes)).toEqual([failure, failure]);
  expect(await warm).toBe('connect_timeout');
  await client.close();
  expect(clock.timers).toBe(0);
});

it('recognises a server without HTTP/2', async () => {
  const { client, request } = openClient(await listen(createTlsServer(tls)));
  expect(await request()).toEqual({ kind: 'failure', reason: 'not_http2' });
  await client.close();
});

it('recognises a server without TLS', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const { client, request } = openClient(await listen(server));
  expect(await request()).toEqual({
    kind: 'failure',
    reason: 'tls_failed',
  });
  await client.close();
});

it('recognises a name that does not exist', async () => {
  const { client, request } = openClient('https://nowhere.invalid');
  expect(await request()).toEqual({
    kind: 'failure',
    reason: 'dns_failed',
  });
  await client.close();
});

it('reads at most 64 KiB of an answer', async () => {
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 502 });
    stream.end('x'.repeat(1_000_000));
  });
  const { client, events, request } = openClient(origin);
  const result = await request();
  expect(result).toMatchObject({ kind: 'response', status: 502 });
  expect(result.kind === 'response' ? result.body.length : 0).toBe(65_536);
  expect((await request()).kind).toBe('response');
  expect(events).toEqual([{ kind: 'connected' }]);
  await client.close();
});

it('does not guess the meaning of an error without its body', async () => {
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
  const { client, request } = openClient(await listen(server));
  expect(await request()).toEqual({
    kind: 'failure',
    reason: 'connection_lost',
  });
  await client.close();
});

it('takes a 200 as a success although its body never ends', async () => {
  const clock = new ManualClock();
  const started = Promise.withResolvers<void>();
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200, 'x-id': '7' });
    stream.write('{"name":');
    started.resolve();
  });
  const { client, request } = openClient(origin, { clock });
  const result = request({ timeoutMs: 1_000 });
  await started.promise;
  // The headers have to arrive before the deadline does.
  for (let turns = 0; turns < 50; turns += 1) await turn();
  clock.advance(1_000);
  expect(await result).toMatchObject({ kind: 'response', status: 200, headers: { 'x-id': '7' } });
  await client.close();
});

it('sends only the first request until the peer says how many it takes', async () => {
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 2 } });
  let most = 0;
  server.on('stream', (stream: ServerHttp2Stream) => {
    streams.push(stream);
    most = Math.max(most, streams.filter(({ closed }) => !closed).length);
    stream.respond({ ':status': 200 });
    setImmediate(() => stream.end());
  });
  const { client, request } = openClient(await listen(server));
  const results = await Promise.all(Array.from({ length: 20 }, () => request()));
  expect(results.every(({ kind }) => kind === 'response')).toBe(true);
  expect(most).toBeLessThanOrEqual(2);
  await client.close();
});

it('respects a limit that the peer lowers while all of the former one is in use', async () => {
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 5 } });
  server.on('stream', (stream: ServerHttp2Stream) => streams.push(stream));
  const { client, request } = openClient(await listen(server));
  const results = Array.from({ length: 9 }, () => request({ timeoutMs: 10_000 }));
  while (streams.length < 5) await turn();
  const session = streams[0]?.session;
  await new Promise<void>((resolve) =>
    session?.settings({ maxConcurrentStreams: 2 }, () => resolve()),
  );
  const inFlight: number[] = [];
  for (let answered = 1; answered <= 9; answered += 1) {
    streams[answered - 1]?.respond({ ':status': 200 }, { endStream: true });
    // The server sends a PING ahead of an answer, so only after a second PING has it seen the client's reaction to the
    // answer.
    await new Promise<void>((resolve) => session?.ping(() => resolve()));
    await new Promise<void>((resolve) => session?.ping(() => resolve()));
    inFlight.push(streams.length - answered);
  }
  expect(inFlight).toEqual([4, 3, 2, 2, 2, 2, 2, 1, 0]);
  expect(await Promise.all(results)).toEqual(
    Array(9).fill(expect.objectContaining({ status: 200 })),
  );
  await client.close();
});

it('reports that a request cannot be written, and continues', async () => {
  const origin = await openHttp2((stream) =>
    stream.respond({ ':status': 200 }, { endStream: true }),
  );
  const { client, request } = openClient(origin);
  const bad = { headers: { ...REQUEST.headers, connection: 'close' }, body: '' };
  expect(await request({}, bad)).toEqual({
    kind: 'failure',
    reason: 'request_invalid',
  });
  expect(await request()).toMatchObject({ status: 200 });
  await client.close();
});

it('limits how many wait, and how long', async () => {
  const clock = new ManualClock();
  const { client, request } = openClient(await listen(createServer()), { clock });
  const waiting = Array.from({ length: 10_000 }, () => request({ waitMs: 1_000 }));
  expect(await request()).toEqual({ kind: 'failure', reason: 'too_many_waiting' });
  clock.advance(1_000);
  const results = await Promise.all(waiting);
  expect(new Set(results.map((result) => JSON.stringify(result)))).toEqual(
    new Set(['{"kind":"failure","reason":"timeout_waiting"}']),
  );
  clock.advance(800);
  await client.close();
  expect(clock.timers).toBe(0);
});

it('withdraws unsent bytes by a reset, not by a close that would still deliver them', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const target = await openHttp2((stream) => {
    stream.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const proxy = await openStallingProxy(target);
  const { client, request } = openClient(proxy.origin, { clock });
  await request({}, { ...REQUEST, body: 'first' });
  proxy.stall();
  const result = request({ timeoutMs: 300 }, { ...REQUEST, body: 'second' });
  await turn();
  clock.advance(300);
  expect(await result).toEqual({ kind: 'failure', reason: 'connection_dead' });
  proxy.resume();
  while (proxy.ends.length === 0) await turn();
  expect(proxy.ends).toEqual([expect.stringContaining('ECONNRESET')]);
  expect(seen).toEqual(['first']);
  await client.close();
});

it('reconnects by itself when a used connection ends, so that the next request finds one', async () => {
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const { client, events, request } = openClient(origin);
  await request({ timeoutMs: 1_000 });
  client.retire();
  expect(await client.warm()).toBeUndefined();
  expect(events).toEqual([
    { kind: 'connected' },
    { kind: 'connection_ended', why: 'retired', carried: 1 },
    { kind: 'connected' },
  ]);
  await client.close();
});

it('does not reconnect by itself to a peer that closes every connection unused', async () => {
  const { client, events } = openClient(await openHttp2(() => undefined));
  await client.warm();
  client.retire();
  await client.close();
  expect(events).toEqual([
    { kind: 'connected' },
    { kind: 'connection_ended', why: 'retired', carried: 0 },
  ]);
});

it('leaves no socket and no timer open', async () => {
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const origin = await openHttp2((stream) => {
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const clock = new ManualClock();
  const before = sockets();
  const { client, request } = openClient(origin, { clock });
  await Promise.all(Array.from({ length: 10 }, () => request({ timeoutMs: 1_000 })));
  await client.close();
  while (sockets() > before) await turn();
  expect(clock.timers).toBe(0);
});

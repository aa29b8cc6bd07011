// The transport alone, against peers that no sandbox plays: silent, foreign, verbose, and half-dead.

import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { listen, openHttp2, openStallingProxy, openTransport, REQUEST, tls } from './peers.ts';
import { turn } from './support.ts';

it('gives up a peer that never answers the handshake, and everyone who waits for it', async () => {
  const clock = new ManualClock();
  const { transport } = openTransport(await listen(createServer()), { clock });
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
  const { transport } = openTransport(await listen(createTlsServer(tls)));
  expect(await transport.request(REQUEST, 2_000)).toEqual({ kind: 'failure', reason: 'not_http2' });
  await transport.close();
});

it('knows a server without TLS', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const { transport } = openTransport(await listen(server));
  expect(await transport.request(REQUEST, 2_000)).toEqual({
    kind: 'failure',
    reason: 'tls_failed',
  });
  await transport.close();
});

it('knows a name that does not exist', async () => {
  const { transport } = openTransport('https://nowhere.invalid');
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
  const { transport, events } = openTransport(origin);
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
  const { transport } = openTransport(await listen(server));
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
  const { transport } = openTransport(origin, { clock });
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
  const { transport } = openTransport(await listen(server));
  const results = await Promise.all(
    Array.from({ length: 20 }, () => transport.request(REQUEST, 2_000)),
  );
  expect(results.every(({ kind }) => kind === 'answer')).toBe(true);
  expect(most).toBeLessThanOrEqual(2);
  await transport.close();
});

it('keeps to a limit that the peer lowers while all of the former one is in use', async () => {
  const streams: ServerHttp2Stream[] = [];
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 5 } });
  server.on('stream', (stream: ServerHttp2Stream) => streams.push(stream));
  const { transport } = openTransport(await listen(server));
  const results = Array.from({ length: 9 }, () => transport.request(REQUEST, 10_000));
  while (streams.length < 5) await turn();
  const session = streams[0]?.session;
  await new Promise<void>((resolve) =>
    session?.settings({ maxConcurrentStreams: 2 }, () => resolve()),
  );
  const inFlight: number[] = [];
  for (let answered = 1; answered <= 9; answered += 1) {
    streams[answered - 1]?.respond({ ':status': 200 }, { endStream: true });
    // The server sends a PING ahead of an answer, so that only after a second one it has seen what the client
    // did upon the answer.
    await new Promise<void>((resolve) => session?.ping(() => resolve()));
    await new Promise<void>((resolve) => session?.ping(() => resolve()));
    inFlight.push(streams.length - answered);
  }
  expect(inFlight).toEqual([4, 3, 2, 2, 2, 2, 2, 1, 0]);
  expect(await Promise.all(results)).toEqual(
    Array(9).fill(expect.objectContaining({ status: 200 })),
  );
  await transport.close();
});

it('says that a request cannot be written, and carries on', async () => {
  const origin = await openHttp2((stream) =>
    stream.respond({ ':status': 200 }, { endStream: true }),
  );
  const { transport } = openTransport(origin);
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
  const { transport } = openTransport(await listen(createServer()), { clock });
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

it('takes unsent bytes back by a reset, not by a close that would still deliver them', async () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  const target = await openHttp2((stream) => {
    stream.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
    stream.respond({ ':status': 200 }, { endStream: true });
  });
  const proxy = await openStallingProxy(target);
  const { transport } = openTransport(proxy.origin, { clock });
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
  const { transport, events } = openTransport(origin);
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
  const { transport, events } = openTransport(await openHttp2(() => undefined));
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
  const { transport } = openTransport(origin, { clock });
  await Promise.all(Array.from({ length: 10 }, () => transport.request(REQUEST, 1_000)));
  await transport.close();
  while (sockets() > before) await turn();
  expect(clock.timers).toBe(0);
});

// What a peer may signal about streams and the connection: limits, refusals, resets, GOAWAY.

import {
  constants,
  createSecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { expect, it } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../support.ts';
import { createHoldingPeer, listen, openClient, openHttp2, REQUEST, tls } from './peers.ts';

const to = (path: string) => ({ ...REQUEST, headers: { ':path': path } });

it('stops using a connection that allows no more streams, and opens another', async () => {
  const peer = createHoldingPeer(10);
  const { client, request, events } = openClient(await listen(peer.server));
  const first = request();
  await peer.untilHeld(1);
  peer.sessions[0]?.settings({ maxConcurrentStreams: 0 });
  while (events.length < 2) await turn();
  const second = request();
  await peer.untilHeld(2);
  expect(peer.held()).toEqual([1, 1]);
  peer.release();
  expect(await first).toMatchObject({ status: 200 });
  expect(await second).toMatchObject({ status: 200 });
  expect(events).toEqual([
    { kind: 'connected' },
    { kind: 'connection_ended', why: 'no_streams', carried: 1 },
    { kind: 'connected' },
  ]);
  await client.close();
});

it('opens at most one connection a second to a peer that never allows a stream', async () => {
  const clock = new ManualClock();
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 0 } });
  server.on('sessionError', () => undefined);
  let sessions = 0;
  server.on('session', (session: ServerHttp2Session) => {
    session.on('error', () => undefined);
    sessions += 1;
  });
  const { client, request } = openClient(await listen(server), { clock, maxConnections: 10 });
  // The first request on each connection is written before the peer's SETTINGS are known, and refused.
  const results = Array.from({ length: 50 }, () => request({ waitMs: 3_500 }));
  for (let passed = 0; passed < 3_500; passed += 100) {
    for (let turns = 0; turns < 30; turns += 1) await turn();
    clock.advance(100);
  }
  const reasons = (await Promise.all(results)).map((result) =>
    result.kind === 'failure' ? result.reason : result.status,
  );
  expect(new Set(reasons)).toEqual(new Set(['refused_stream', 'timeout_waiting']));
  expect(sessions).toBeGreaterThan(1);
  expect(sessions).toBeLessThanOrEqual(5);
  await client.close();
  expect(clock.timers).toBe(0);
});

it.each([
  [constants.NGHTTP2_REFUSED_STREAM, 'refused_stream'],
  [constants.NGHTTP2_CANCEL, 'stream_reset'],
  [constants.NGHTTP2_INTERNAL_ERROR, 'stream_reset'],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, 'stream_reset'],
])('reports a stream reset with code %i as %s and keeps the connection', async (code, reason) => {
  const origin = await openHttp2((stream, path) => {
    if (path === '/reset') stream.close(code);
    else stream.respond({ ':status': 200 }, { endStream: true });
  });
  const { client, request, events } = openClient(origin);
  await request();
  expect(await request({}, to('/reset'))).toEqual({ kind: 'failure', reason });
  expect(await request()).toMatchObject({ status: 200 });
  expect(events).toEqual([{ kind: 'connected' }]);
  await client.close();
});

it('knows which requests a GOAWAY with an error covers, and which certainly not', async () => {
  const streams: ServerHttp2Stream[] = [];
  const origin = await openHttp2((stream) => streams.push(stream));
  const { client, request, events } = openClient(origin);
  const first = request();
  while (streams.length < 1) await turn();
  streams[0]?.respond({ ':status': 200 }, { endStream: true });
  await first;
  const [covered, above] = [request(), request()];
  while (streams.length < 3) await turn();
  // Node's client ends every stream at such a GOAWAY, even those that would still be answered.
  streams[1]?.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR, streams[1]?.id);
  expect(await covered).toEqual({ kind: 'failure', reason: 'connection_lost' });
  expect(await above).toEqual({ kind: 'failure', reason: 'goaway' });
  expect(events.at(1)).toMatchObject({ kind: 'connection_ended', why: 'goaway' });
  await client.close();
});

it('gets the answers to all requests that a graceful GOAWAY covers', async () => {
  const peer = createHoldingPeer(20);
  const { client, request } = openClient(await listen(peer.server));
  const results = Array.from({ length: 20 }, () => request());
  await peer.untilHeld(20);
  peer.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR);
  for (let turns = 0; turns < 30; turns += 1) await turn();
  peer.release();
  expect(await Promise.all(results)).toEqual(
    Array(20).fill(expect.objectContaining({ kind: 'response', status: 200 })),
  );
  await client.close();
});

it('reads an answer that comes before the request was read, and one after informational headers', async () => {
  const origin = await openHttp2((stream, path) => {
    if (path === '/early') {
      stream.respond({ ':status': 413 });
      stream.end('{"reason":"PayloadTooLarge"}');
      stream.close(constants.NGHTTP2_NO_ERROR);
    } else {
      stream.additionalHeaders({ ':status': 103 });
      stream.respond({ ':status': 200 }, { endStream: true });
    }
  });
  const { client, request, events } = openClient(origin);
  expect(await request({}, { ...to('/early'), body: 'x'.repeat(500_000) })).toMatchObject({
    status: 413,
    body: '{"reason":"PayloadTooLarge"}',
  });
  expect(await request()).toMatchObject({ status: 200 });
  expect(events).toEqual([{ kind: 'connected' }]);
  await client.close();
});

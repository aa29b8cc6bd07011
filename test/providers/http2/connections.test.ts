// How many connections the client keeps: one more when all are full, up to a limit.

import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it } from 'vitest';
import type { Http2Client } from '../../../src/providers/http2/client.ts';
import type { PoolEvent } from '../../../src/providers/http2/pool.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../support.ts';
import {
  createHoldingPeer,
  listen,
  type OpenClientOptions,
  openClient,
  openStallingProxy,
  REQUEST,
  tls,
} from './peers.ts';

/** These tests are not about idle connections that die. */
const NEVER_MS = 1e9;

/** A peer that takes `streams` on each connection, and a client that may open up to ten. */
async function setup(streams: number, options: OpenClientOptions = {}) {
  const clock = new ManualClock();
  const peer = createHoldingPeer(streams);
  const origin = await listen(peer.server);
  const opened = openClient(origin, {
    clock,
    maxConnections: 10,
    idlePingMs: NEVER_MS,
    ...options,
  });
  return { clock, peer, origin, ...opened };
}

function send(client: Http2Client, count: number, timeoutMs = 2_000) {
  return Array.from({ length: count }, () =>
    client.request(REQUEST, { waitMs: timeoutMs, timeoutMs }),
  );
}

async function statuses(results: ReturnType<typeof send>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.all(results)) {
    const name = result.kind === 'response' ? String(result.status) : result.reason;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function count(events: readonly PoolEvent[], kind: PoolEvent['kind']): number {
  return events.filter((event) => event.kind === kind).length;
}

/** Time passes in steps, so that sockets are read between the timers. */
async function pass(clock: ManualClock, ms: number, stepMs = 100): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await turn();
  }
}

it('has 1,000 in flight at a peer that takes 100 on a connection', async () => {
  const { peer, client, events } = await setup(100);
  const results = send(client, 1_000);
  // No time passes, and nothing is answered, so no request waits for another.
  await peer.untilHeld(1_000);
  expect(peer.held()).toEqual(Array.from({ length: 10 }, () => 100));
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 1_000 });
  expect(count(events, 'connected')).toBe(10);
  await client.close();
});

it('never has more connections than it may', async () => {
  const { peer, client, events } = await setup(10, { maxConnections: 2 });
  const results = send(client, 100);
  await peer.untilHeld(20);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(peer.held()).toEqual([10, 10]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 100 });
  expect(count(events, 'connected')).toBe(2);
  await client.close();
});

it('stays with one connection as long as that is enough', async () => {
  const { peer, client, events } = await setup(100);
  const results = send(client, 100);
  await peer.untilHeld(100);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 100 });
  for (let round = 0; round < 40; round += 1) {
    expect(await statuses(send(client, 50))).toEqual({ 200: 50 });
  }
  expect(events).toEqual([{ kind: 'connected' }]);
  await client.close();
});

it('does not take the limit before the first valid push for a full connection', async () => {
  const { peer, client, events } = await setup(1);
  const results = send(client, 300);
  await peer.untilHeld(1);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(peer.held()).toEqual([1]);
  for (const session of peer.sessions) session.settings({ maxConcurrentStreams: 1_000 });
  await peer.untilHeld(300);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 300 });
  expect(events).toEqual([{ kind: 'connected' }]);
  await client.close();
});

it('continues over the others while a fresh connection is silent', async () => {
  const peer = createHoldingPeer(2);
  const silent = createTlsServer({ ...tls, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  let accepted = 0;
  const front = createServer((socket) => {
    accepted += 1;
    (accepted === 2 ? silent : peer.server).emit('connection', socket);
  });
  const clock = new ManualClock();
  const { client, events } = openClient(await listen(front), { clock, maxConnections: 10 });
  const results = send(client, 20);
  while (count(events, 'connected') < 2) await turn();
  peer.release();
  while (peer.held().some((size) => size > 0)) await turn();
  await pass(clock, 1_500);
  expect(await statuses(results)).toEqual({ 200: 19, connection_dead: 1 });
  await client.close();
});

it('dials one connection at a time and seldom when further ones fail, and no request is lost because of it', async () => {
  const clock = new ManualClock();
  const peer = createHoldingPeer(10);
  const front = createServer((socket) => peer.server.emit('connection', socket));
  const { client, events } = openClient(await listen(front), {
    clock,
    maxConnections: 10,
    idlePingMs: NEVER_MS,
  });
  const results = send(client, 1);
  await peer.untilHeld(1);
  front.close();
  results.push(...send(client, 99));
  while (count(events, 'connect_failed') < 1) await turn();
  await peer.untilHeld(10);
  results.push(...send(client, 100));
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(count(events, 'connect_failed')).toBe(1);
  await pass(clock, 1_000);
  results.push(...send(client, 100));
  while (count(events, 'connect_failed') < 2) await turn();
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 300 });
  expect(count(events, 'connected')).toBe(1);
  await client.close();
});

it('loses nothing when one of several connections says GOAWAY', async () => {
  const { peer, client, events } = await setup(10, { maxInFlight: 30 });
  const results = send(client, 30);
  await peer.untilHeld(30);
  peer.sessions[1]?.goaway(0);
  while (count(events, 'connection_ended') < 1) await turn();
  results.push(...send(client, 10));
  await peer.untilHeld(40);
  expect(peer.held()).toEqual([10, 10, 10, 10]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 40 });
  expect(events.filter(({ kind }) => kind === 'connection_ended')).toEqual([
    { kind: 'connection_ended', why: 'goaway', carried: 10 },
  ]);
  await client.close();
});

it('gives up one half-dead connection of several, with only what was on it', async () => {
  const peer = createHoldingPeer(10);
  const proxy = await openStallingProxy(await listen(peer.server));
  const clock = new ManualClock();
  const { client, events } = openClient(proxy.origin, {
    clock,
    maxInFlight: 30,
    maxConnections: 10,
  });
  const results = send(client, 30);
  await peer.untilHeld(30);
  proxy.stall(1);
  // The PINGs of the living ones are answered in between.
  for (let passed = 0; passed < 1_500; passed += 100) {
    clock.advance(100);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
  expect(events.filter(({ kind }) => kind === 'connection_ended')).toEqual([
    { kind: 'connection_ended', why: 'connection_dead', carried: 10 },
  ]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 20, connection_dead: 10 });
  expect(await statuses(send(client, 10))).toEqual({ 200: 10 });
  await client.close();
});

it('sends over fresh connections only after retiring several', async () => {
  const { peer, client, events } = await setup(10);
  const burst = send(client, 30);
  await peer.untilHeld(30);
  client.retire();
  const next = send(client, 10);
  await peer.untilHeld(40);
  expect(peer.held()).toEqual([10, 10, 10, 10]);
  peer.release();
  expect(await statuses([...burst, ...next])).toEqual({ 200: 40 });
  expect(count(events, 'connection_ended')).toBe(3);
  await client.close();
});

it('leaves no socket and no timer of several connections open', async () => {
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  const { clock, peer, client } = await setup(10);
  const results = send(client, 50);
  await peer.untilHeld(50);
  const closed = client.close();
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 50 });
  await closed;
  while (sockets() > before) await turn();
  expect(clock.timers).toBe(0);
});

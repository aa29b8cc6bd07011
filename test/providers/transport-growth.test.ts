// How many connections the transport keeps: as many as the requests at once need, and no more.

import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, it } from 'vitest';
import type { TransportEvent } from '../../src/providers/transport/pool.ts';
import type { Transport } from '../../src/providers/transport/transport.ts';
import { ManualClock } from '../support/manual-clock.ts';
import {
  createHoldingPeer,
  listen,
  type OpenTransportOptions,
  openStallingProxy,
  openTransport,
  REQUEST,
  tls,
} from './peers.ts';
import { turn } from './support.ts';

/** Nothing here is about idle connections that die. */
const NEVER_MS = 1e9;

/** A peer that takes `streams` on each connection, and a transport that may open up to ten. */
async function setup(streams: number, options: OpenTransportOptions = {}) {
  const clock = new ManualClock();
  const peer = createHoldingPeer(streams);
  const origin = await listen(peer.server);
  const opened = openTransport(origin, {
    clock,
    maxConnections: 10,
    idlePingMs: NEVER_MS,
    ...options,
  });
  return { clock, peer, origin, ...opened };
}

function send(transport: Transport, count: number, timeoutMs = 2_000) {
  return Array.from({ length: count }, () => transport.request(REQUEST, timeoutMs));
}

async function statuses(results: ReturnType<typeof send>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const result of await Promise.all(results)) {
    const name = result.kind === 'answer' ? String(result.status) : result.reason;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function count(events: readonly TransportEvent[], kind: TransportEvent['kind']): number {
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
  const { peer, transport, events } = await setup(100);
  const results = send(transport, 1_000);
  // No time passes, and nothing is answered: nobody waits for anybody.
  await peer.untilHeld(1_000);
  expect(peer.held()).toEqual(Array.from({ length: 10 }, () => 100));
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 1_000 });
  expect(count(events, 'connected')).toBe(10);
  await transport.close();
});

it('never has more connections than it may', async () => {
  const { peer, transport, events } = await setup(10, { maxConnections: 2 });
  const results = send(transport, 100);
  await peer.untilHeld(20);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(peer.held()).toEqual([10, 10]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 100 });
  expect(count(events, 'connected')).toBe(2);
  await transport.close();
});

it('never has more connections than the pushes in flight can fill', async () => {
  const { peer, transport, events } = await setup(10, { maxInFlight: 30 });
  const results = send(transport, 100);
  await peer.untilHeld(30);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(peer.held()).toEqual([10, 10, 10]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 100 });
  expect(count(events, 'connected')).toBe(3);
  await transport.close();
});

it('stays with one connection as long as that takes everything', async () => {
  const { peer, transport, events } = await setup(100);
  const results = send(transport, 100);
  await peer.untilHeld(100);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 100 });
  for (let round = 0; round < 40; round += 1) {
    expect(await statuses(send(transport, 50))).toEqual({ 200: 50 });
  }
  expect(events).toEqual([{ kind: 'connected' }]);
  await transport.close();
});

it('does not take the gate before the first valid push for a full connection', async () => {
  const { peer, transport, events } = await setup(1);
  const results = send(transport, 300);
  await peer.untilHeld(1);
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(peer.held()).toEqual([1]);
  for (const session of peer.sessions) session.settings({ maxConcurrentStreams: 1_000 });
  await peer.untilHeld(300);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 300 });
  expect(events).toEqual([{ kind: 'connected' }]);
  await transport.close();
});

it('sends on over the others while a fresh connection keeps silent', async () => {
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
  const { transport, events } = openTransport(await listen(front), { clock, maxConnections: 10 });
  const results = send(transport, 20);
  while (count(events, 'connected') < 2) await turn();
  peer.release();
  while (peer.held().some((size) => size > 0)) await turn();
  await pass(clock, 1_500);
  expect(await statuses(results)).toEqual({ 200: 19, connection_dead: 1 });
  await transport.close();
});

it('dials once at a time and seldom when further connections fail, and nobody pays for it', async () => {
  const clock = new ManualClock();
  const peer = createHoldingPeer(10);
  const front = createServer((socket) => peer.server.emit('connection', socket));
  const { transport, events } = openTransport(await listen(front), {
    clock,
    maxConnections: 10,
    idlePingMs: NEVER_MS,
  });
  const results = send(transport, 1);
  await peer.untilHeld(1);
  front.close();
  results.push(...send(transport, 99));
  while (count(events, 'connect_failed') < 1) await turn();
  await peer.untilHeld(10);
  results.push(...send(transport, 100));
  for (let turns = 0; turns < 50; turns += 1) await turn();
  expect(count(events, 'connect_failed')).toBe(1);
  await pass(clock, 1_000);
  results.push(...send(transport, 100));
  while (count(events, 'connect_failed') < 2) await turn();
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 300 });
  expect(count(events, 'connected')).toBe(1);
  await transport.close();
});

it('loses nothing when one of several connections says GOAWAY', async () => {
  const { peer, transport, events } = await setup(10, { maxInFlight: 30 });
  const results = send(transport, 30);
  await peer.untilHeld(30);
  peer.sessions[1]?.goaway(0);
  while (count(events, 'connection_ended') < 1) await turn();
  results.push(...send(transport, 10));
  await peer.untilHeld(40);
  expect(peer.held()).toEqual([10, 10, 10, 10]);
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 40 });
  expect(events.filter(({ kind }) => kind === 'connection_ended')).toEqual([
    { kind: 'connection_ended', why: 'goaway', carried: 10 },
  ]);
  await transport.close();
});

it('gives up one half-dead connection of several, with only what was on it', async () => {
  const peer = createHoldingPeer(10);
  const proxy = await openStallingProxy(await listen(peer.server));
  const clock = new ManualClock();
  const { transport, events } = openTransport(proxy.origin, {
    clock,
    maxInFlight: 30,
    maxConnections: 10,
  });
  const results = send(transport, 30);
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
  expect(await statuses(send(transport, 10))).toEqual({ 200: 10 });
  await transport.close();
});

it('lets go in a quiet time what the burst before it needed, and keeps one', async () => {
  const { clock, peer, transport, events } = await setup(10);
  const burst = send(transport, 50);
  await peer.untilHeld(50);
  peer.release();
  expect(await statuses(burst)).toEqual({ 200: 50 });
  await pass(clock, 60_000, 500);
  expect(count(events, 'connection_ended')).toBe(0);
  for (let round = 0; round < 5; round += 1) {
    expect(await statuses(send(transport, 3))).toEqual({ 200: 3 });
  }
  await pass(clock, 60_000, 500);
  expect(events.slice(5)).toEqual(
    Array.from({ length: 4 }, () => ({
      kind: 'connection_ended',
      why: 'surplus',
      carried: expect.any(Number),
    })),
  );
  await pass(clock, 600_000, 500);
  expect(await statuses(send(transport, 1))).toEqual({ 200: 1 });
  expect(events).toHaveLength(9);
  await transport.close();
  expect(clock.timers).toBe(0);
});

it('keeps as many connections as the load needs', async () => {
  const { clock, peer, transport, events } = await setup(10);
  const burst = send(transport, 50, NEVER_MS);
  await peer.untilHeld(50);
  await pass(clock, 60_000, 60_000);
  const inFlight = peer.held();
  peer.release();
  expect(await statuses(burst)).toEqual({ 200: 50 });
  expect(inFlight).toEqual([10, 10, 10, 10, 10]);
  expect(count(events, 'connection_ended')).toBe(0);
  await transport.close();
});

it('does not write a request that has waited away most of its time', async () => {
  const { clock, peer, transport, events } = await setup(10, { maxInFlight: 1 });
  const first = send(transport, 1);
  await peer.untilHeld(1);
  const late = send(transport, 1, 400);
  const inTime = send(transport, 1, 2_000);
  clock.advance(301);
  peer.release();
  expect(await statuses(late)).toEqual({ timeout_waiting: 1 });
  expect(await statuses([...first, ...inTime])).toEqual({ 200: 2 });
  expect(events).toEqual([{ kind: 'connected' }]);
  await transport.close();
});

it('sends over fresh connections only after retiring several', async () => {
  const { peer, transport, events } = await setup(10);
  const burst = send(transport, 30);
  await peer.untilHeld(30);
  transport.retire();
  const next = send(transport, 10);
  await peer.untilHeld(40);
  expect(peer.held()).toEqual([10, 10, 10, 10]);
  peer.release();
  expect(await statuses([...burst, ...next])).toEqual({ 200: 40 });
  expect(count(events, 'connection_ended')).toBe(3);
  await transport.close();
});

it('leaves no socket and no timer of several connections behind', async () => {
  const sockets = () =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  const { clock, peer, transport } = await setup(10);
  const results = send(transport, 50);
  await peer.untilHeld(50);
  const closed = transport.close();
  peer.release();
  expect(await statuses(results)).toEqual({ 200: 50 });
  await closed;
  while (sockets() > before) await turn();
  expect(clock.timers).toBe(0);
});

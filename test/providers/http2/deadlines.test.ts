// When a request stops waiting, and which later answers it still gets.

import type { ServerHttp2Stream } from 'node:http2';
import { Worker } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import type { HttpResponse } from '../../../src/providers/http2/client.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../support.ts';
import {
  createHoldingPeer,
  listen,
  openClient,
  openHttp2,
  openStallingProxy,
  REQUEST,
  tls,
} from './peers.ts';

const TIMEOUT = { kind: 'failure', reason: 'timeout' };
/** These tests are not about idle connections that die. */
const NEVER_MS = 1e9;

async function turns(count: number): Promise<void> {
  for (let turned = 0; turned < count; turned += 1) await turn();
}

/** Moves time in steps, so that PINGs are answered in between. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    clock.advance(250);
    await turns(50);
  }
}

/** A request to `/slow` that the peer holds, on a connection that has been answered before. */
async function setup() {
  const clock = new ManualClock();
  const held: ServerHttp2Stream[] = [];
  const closed: number[] = [];
  const target = await openHttp2((stream, path) => {
    if (path !== '/slow') stream.respond({ ':status': 200 }, { endStream: true });
    else {
      held.push(stream);
      stream.on('close', () => closed.push(stream.rstCode));
    }
  });
  const proxy = await openStallingProxy(target);
  const opened = openClient(proxy.origin, { clock, idlePingMs: NEVER_MS });
  const late: HttpResponse[] = [];
  await opened.request();
  const result = opened.request(
    { timeoutMs: 2_000, onLate: (response) => late.push(response) },
    { ...REQUEST, headers: { ':path': '/slow' } },
  );
  while (held.length === 0) await turn();
  return { clock, proxy, held, closed, late, result, ...opened };
}

it('reports an answer that comes after the deadline, once', async () => {
  const { clock, client, held, late, result, events, request } = await setup();
  await pass(clock, 2_000);
  expect(await result).toEqual(TIMEOUT);
  expect(events.at(-1)).toMatchObject({ kind: 'connected' });
  await pass(clock, 5_000);
  held[0]?.respond({ ':status': 200, 'x-id': '7' });
  held[0]?.end('late');
  while (late.length === 0) await turn();
  expect(late).toMatchObject([{ status: 200, headers: { 'x-id': '7' }, body: 'late' }]);
  await pass(clock, 10_000);
  expect(late).toHaveLength(1);
  expect(await request()).toMatchObject({ status: 200 });
  await client.close();
  expect(clock.timers).toBe(0);
});

it('listens for 10 s and then closes the stream and the connection', async () => {
  const { clock, client, closed, held, late, result } = await setup();
  await pass(clock, 11_750);
  expect(await result).toEqual(TIMEOUT);
  expect(closed).toEqual([]);
  const session = held[0]?.session;
  await pass(clock, 250);
  while (closed.length === 0 || session?.destroyed === false) await turn();
  // CANCEL
  expect(closed).toEqual([8]);
  expect(late).toEqual([]);
  await client.close();
  expect(clock.timers).toBe(0);
});

it('resets a connection that falls silent while it listens', async () => {
  const { clock, client, proxy, late, result } = await setup();
  await pass(clock, 2_000);
  expect(await result).toEqual(TIMEOUT);
  proxy.stall(0);
  await pass(clock, 1_500);
  proxy.resume();
  while (proxy.ends.length === 0) await turn();
  expect(proxy.ends).toEqual([expect.stringContaining('ECONNRESET')]);
  expect(late).toEqual([]);
  await client.close();
});

it('does not listen if no late answer is wanted', async () => {
  const { clock, client, closed, held, request, result } = await setup();
  held.length = 0;
  const deaf = request({ timeoutMs: 1_000 }, { ...REQUEST, headers: { ':path': '/slow' } });
  while (held.length === 0) await turn();
  await pass(clock, 1_000);
  expect(await deaf).toEqual(TIMEOUT);
  while (closed.length === 0) await turn();
  expect(closed).toEqual([8]);
  await pass(clock, 1_000);
  expect(await result).toEqual(TIMEOUT);
  await client.close();
});

it('closes without waiting for late answers', async () => {
  const { clock, client, late, result } = await setup();
  await pass(clock, 2_000);
  expect(await result).toEqual(TIMEOUT);
  await client.close();
  expect(late).toEqual([]);
  expect(clock.timers).toBe(0);
});

it('does not listen for requests that time out while it closes', async () => {
  const { clock, client, late, result } = await setup();
  const closed = client.close();
  await pass(clock, 2_000);
  expect(await result).toEqual(TIMEOUT);
  await closed;
  expect(late).toEqual([]);
  expect(clock.timers).toBe(0);
});

it('counts the time of a request from the moment it is written', async () => {
  const clock = new ManualClock();
  const peer = createHoldingPeer(1);
  const { client, request } = openClient(await listen(peer.server), { clock, maxInFlight: 1 });
  const first = request({ timeoutMs: 5_000 });
  await peer.untilHeld(1);
  const second = request({ waitMs: 2_000, timeoutMs: 1_000 });
  await pass(clock, 1_750);
  peer.answerOne();
  expect(await first).toMatchObject({ status: 200 });
  await peer.untilHeld(1);
  await pass(clock, 750);
  peer.answerOne();
  expect(await second).toMatchObject({ status: 200 });
  await client.close();
});

it('does not write a request whose wait is over', async () => {
  const clock = new ManualClock();
  const peer = createHoldingPeer(1);
  const { client, request } = openClient(await listen(peer.server), { clock, maxInFlight: 1 });
  const first = request({ timeoutMs: 5_000 });
  await peer.untilHeld(1);
  const second = request({ waitMs: 1_000 });
  await pass(clock, 1_000);
  expect(await second).toEqual({ kind: 'failure', reason: 'timeout_waiting' });
  peer.answerOne();
  expect(await first).toMatchObject({ status: 200 });
  await turns(20);
  expect(peer.held()).toEqual([0]);
  await client.close();
});

it('does not take a pause of this process for a silent provider', async () => {
  const worker = new Worker(new URL('./answering-worker.ts', import.meta.url), { workerData: tls });
  onTestFinished(() => void worker.terminate());
  const answered = new Int32Array(new SharedArrayBuffer(4));
  worker.postMessage(answered);
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const { client, request } = openClient(`https://127.0.0.1:${port}`);
  await request();
  const before = Atomics.load(answered, 0);
  const result = request({ timeoutMs: 20 });
  await turns(3);
  // This thread stands still until the answer is in the socket and the deadline is long over.
  while (Atomics.load(answered, 0) === before) Atomics.wait(answered, 0, before, 5_000);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  expect(await result).toMatchObject({ status: 200 });
  await client.close();
});

// When a connection counts as dead: only the rule, with a simulated peer.

import { expect, it } from 'vitest';
import { Liveness } from '../../../src/providers/http2/liveness.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { connected, openProvider, openSandbox, turn } from '../support.ts';

function setup() {
  const clock = new ManualClock();
  const peer = { bytes: 0, waiting: 0, pings: 0, answersPings: false, deadAtMs: -1 };
  const startMs = clock.nowMs();
  const liveness = new Liveness({
    clock,
    bytesRead: () => peer.bytes,
    waiting: () => peer.waiting,
    ping: () => {
      peer.pings += 1;
      if (peer.answersPings) peer.bytes += 17;
    },
    onDead: () => {
      peer.deadAtMs = clock.nowMs() - startMs;
    },
  });
  const write = () => {
    peer.waiting += 1;
    liveness.used();
  };
  /** Each check runs after the sockets were read, so time moves in steps. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await turn();
    }
  };
  return { clock, peer, liveness, write, pass };
}

it('pings after 500 ms of silence and gives up after 500 more', async () => {
  const { peer, write, pass } = setup();
  write();
  await pass(400);
  expect(peer.pings).toBe(0);
  await pass(100);
  expect(peer.pings).toBe(1);
  await pass(400);
  expect(peer.deadAtMs).toBe(-1);
  await pass(100);
  expect(peer.deadAtMs).toBe(1_000);
});

it('never gives up a peer that answers nothing but PINGs', async () => {
  const { peer, write, pass } = setup();
  write();
  peer.answersPings = true;
  await pass(60_000);
  expect(peer.pings).toBe(60);
  expect(peer.deadAtMs).toBe(-1);
});

it('does not ping a peer that keeps sending', async () => {
  const { peer, write, pass } = setup();
  write();
  for (let step = 0; step < 50; step += 1) {
    peer.bytes += 1;
    await pass(100);
  }
  expect(peer.pings).toBe(0);
});

it('does not take bytes from before a request for a sign of life after it', async () => {
  const { peer, write, pass } = setup();
  write();
  await pass(700);
  peer.bytes += 1;
  peer.answersPings = true;
  write();
  peer.pings = 0;
  await pass(300);
  expect(peer.pings).toBe(1);
});

it('needs at most 1.5 s on a busy connection', async () => {
  const { peer, write, pass } = setup();
  write();
  await pass(500);
  peer.bytes += 1;
  await pass(100);
  const diedAtMs = 600;
  write();
  await pass(2_000);
  expect(peer.deadAtMs - diedAtMs).toBeLessThanOrEqual(1_500);
});

it('notices before the next push that an idle connection has died', async () => {
  const { peer, pass } = setup();
  await pass(14_900);
  expect(peer.pings).toBe(0);
  await pass(100);
  expect(peer.pings).toBe(1);
  await pass(500);
  expect(peer.deadAtMs).toBe(15_500);
});

it('lets an idle connection rest when it answers', async () => {
  const { peer, write, pass } = setup();
  write();
  peer.waiting = 0;
  peer.bytes += 100;
  await pass(1_000);
  expect(peer.pings).toBe(0);
  await pass(15_000);
  peer.bytes += 17;
  await pass(500);
  expect(peer).toMatchObject({ pings: 1, deadAtMs: -1 });
});

it('reports nothing once stopped', async () => {
  const { clock, peer, liveness, write, pass } = setup();
  write();
  clock.advance(500);
  liveness.stop();
  await pass(60_000);
  expect(peer).toMatchObject({ pings: 0, deadAtMs: -1 });
  expect(clock.timers).toBe(0);
});

it('waits for a provider that is slow but alive', async () => {
  const sandbox = await openSandbox();
  const { send, events } = await openProvider('apns', sandbox);
  sandbox.script({ provider: 'apns', fault: { kind: 'delay', delayMs: 1_200 } });
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(connected(events)).toBe(1);
});

it('replaces a connection that died while nothing was sent', async () => {
  const clock = new ManualClock(Date.now());
  const sandbox = await openSandbox();
  const { provider, send, events } = await openProvider('apns', sandbox, { clock });
  await provider.warm();
  await send();
  // The check after the push finds the connection idle.
  clock.advance(500);
  await turn();
  clock.advance(500);
  await turn();
  sandbox.blackhole('apns');
  clock.advance(15_000);
  await turn();
  clock.advance(500);
  await turn();
  expect(events.at(-1)).toMatchObject({ kind: 'connection_ended', why: 'connection_dead' });
  expect(await send()).toMatchObject({ kind: 'delivered' });
  expect(connected(events)).toBe(2);
});

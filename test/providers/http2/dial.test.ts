// Hosts with several addresses, on networks where some do not work: the test controls the time, and real sockets
// connect or fail when the test says so.

import { connect, createServer, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { type Address, dial, type Network } from '../../../src/providers/http2/dial.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { turn } from '../support.ts';
import { listen, openClient, openHttp2 } from './peers.ts';

const V6: Address = { address: '2001:db8::1', family: 6 };
const V6_B: Address = { address: '2001:db8::2', family: 6 };
const V4: Address = { address: '192.0.2.1', family: 4 };
const V4_B: Address = { address: '192.0.2.2', family: 4 };

function routeError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A dial whose sockets the test connects or fails. */
function setup(addresses: readonly Address[], timeoutMs = 1_800) {
  const clock = new ManualClock();
  const startMs = clock.nowMs();
  const sockets = new Map<string, Socket>();
  const startedAtMs: Record<string, number> = {};
  const network: Network = {
    lookup: (_host, done) => done(null, addresses),
    connect: ({ address }) => {
      const socket = new Socket();
      sockets.set(address, socket);
      startedAtMs[address] = clock.nowMs() - startMs;
      return socket;
    },
  };
  let result: string | undefined;
  const stop = dial(
    { host: 'provider.example', port: 443, clock, timeoutMs, network },
    {
      opened: (socket) => {
        result = [...sockets].find(([, other]) => other === socket)?.[0];
      },
      failed: (error) => {
        result = error instanceof Error ? error.message : 'unknown';
      },
    },
  );
  return {
    clock,
    startedAtMs,
    stop,
    result: () => result,
    connects: ({ address }: Address) => sockets.get(address)?.emit('connect'),
    fails: ({ address }: Address, code: string) =>
      sockets.get(address)?.emit('error', routeError(code)),
    destroyed: ({ address }: Address) => sockets.get(address)?.destroyed,
  };
}

it('keeps a pending address when another fails: 300 ms round trip beside a family without a route', () => {
  const { clock, connects, fails, result } = setup([V4, V6]);
  clock.advance(250);
  fails(V6, 'ENETUNREACH');
  expect(result()).toBeUndefined();
  clock.advance(50);
  connects(V4);
  expect(result()).toBe(V4.address);
});

it('continues at once when an address fails', () => {
  const { connects, fails, result, startedAtMs } = setup([V6, V4]);
  fails(V6, 'EHOSTUNREACH');
  connects(V4);
  expect(startedAtMs).toEqual({ [V6.address]: 0, [V4.address]: 0 });
  expect(result()).toBe(V4.address);
});

it('tries the next address beside one that is silent, and gives time to both', () => {
  const { clock, connects, destroyed, result, startedAtMs } = setup([V6, V6_B, V4, V4_B]);
  clock.advance(1_500);
  // Families take turns, and each address has at least half of the time.
  expect(startedAtMs).toEqual({
    [V6.address]: 0,
    [V4.address]: 250,
    [V6_B.address]: 500,
    [V4_B.address]: 750,
  });
  connects(V6);
  expect(result()).toBe(V6.address);
  expect([V6, V4, V6_B, V4_B].map(destroyed)).toEqual([false, true, true, true]);
  expect(clock.timers).toBe(0);
});

it('starts no address that would have less than half of the time', () => {
  const { clock, startedAtMs } = setup([V6, V4, V6_B, V4_B], 1_000);
  clock.advance(1_000);
  expect(startedAtMs).toEqual({ [V6.address]: 0, [V4.address]: 250, [V6_B.address]: 500 });
});

it('fails when all have failed, with the error that says most', () => {
  const { fails, result } = setup([V6, V4]);
  fails(V6, 'ENETUNREACH');
  expect(result()).toBeUndefined();
  fails(V4, 'ECONNREFUSED');
  expect(result()).toBe('ECONNREFUSED');
});

it('fails when a name has no address', () => {
  expect(setup([]).result()).toBe('no address');
});

it('reports nothing after it was stopped', () => {
  const { clock, destroyed, result, stop } = setup([V6, V4]);
  stop();
  clock.advance(2_000);
  expect(destroyed(V6)).toBe(true);
  expect(result()).toBeUndefined();
  expect(clock.timers).toBe(0);
});

it('connects over the address that works', async () => {
  const origin = new URL(
    await openHttp2((stream) => stream.respond({ ':status': 200 }, { endStream: true })),
  );
  // A port of this machine at which nothing listens, so it is refused at once.
  const closed = createServer();
  const closedPort = Number(new URL(await listen(closed)).port);
  await new Promise((resolve) => closed.close(resolve));
  const network: Network = {
    lookup: (_host, done) => done(null, [V6, V4]),
    connect: ({ family }, port) => connect({ port: family === 6 ? closedPort : port }),
  };
  const { client, request } = openClient(`https://localhost:${origin.port}`, { network });
  expect(await request()).toMatchObject({ status: 200 });
  await client.close();
});

it('connects after its addresses were slow, within the time for one attempt', async () => {
  const clock = new ManualClock();
  const origin = new URL(
    await openHttp2((stream) => stream.respond({ ':status': 200 }, { endStream: true })),
  );
  const network: Network = {
    lookup: (_host, done) => clock.after(300, () => done(null, [V6, V4])),
    connect: ({ family }, port) => {
      if (family === 6) return new Socket();
      const socket = new Socket();
      clock.after(300, () => socket.connect({ port, host: '127.0.0.1' }));
      return socket;
    },
  };
  const { client, request } = openClient(`https://localhost:${origin.port}`, { clock, network });
  const result = request();
  for (let passed = 0; passed < 1_000; passed += 50) {
    clock.advance(50);
    for (let turns = 0; turns < 20; turns += 1) await turn();
  }
  expect(await result).toMatchObject({ status: 200 });
  await client.close();
});

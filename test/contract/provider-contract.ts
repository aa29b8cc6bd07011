// What every provider promises, whatever goes wrong between it and the service: run for each adapter against
// the sandbox with every fault that can be scripted there.

import { describe, expect, it, vi } from 'vitest';
import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { connected, openProvider, openSandbox, TOKENS, turn } from '../providers/support.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { describeConnections } from './provider-connections-contract.ts';
import { delivered, FAULTS, retry } from './provider-faults.ts';

export interface ContractCase {
  readonly name: ProviderName;
  /** A token in this provider's format. */
  token(index: number): string;
  /** How many streams the stand-in allows on a connection. */
  readonly streamLimit: number;
  /** The outcome of a 200 whose body breaks off. */
  readonly cutOff: object;
}

export function describeProvider(test: ContractCase): void {
  const { name } = test;

  async function setup() {
    const sandbox = await openSandbox();
    const opened = await openProvider(name, sandbox);
    return { sandbox, ...opened };
  }

  describe(`${name}: answers and faults of one request`, () => {
    it('delivers a push with all that the app needs', async () => {
      const { sandbox, send } = await setup();
      expect(await send()).toEqual({ kind: 'delivered', messageId: expect.any(String) });
      expect(sandbox.received()).toMatchObject([
        {
          token: TOKENS[name],
          data: {
            notification_type: 'payment_received',
            notification_payload: '{"payment_hash":"00"}',
          },
          expired: false,
        },
      ]);
    });

    it.each(FAULTS)('survives %s', async (_name, fault, expected, connection) => {
      const { sandbox, send, events } = await setup();
      await send();
      sandbox.script({ provider: name, fault });
      expect(await send()).toEqual(expected);
      expect(await send()).toEqual(delivered);
      expect(connected(events)).toBe(connection === 'same' ? 1 : 2);
    });

    it('reads a 200 that breaks off', async () => {
      const { sandbox, send } = await setup();
      sandbox.script({ provider: name, fault: { kind: 'bad_json' } });
      expect(await send()).toEqual(test.cutOff);
    });
  });

  describe(`${name}: deadlines`, () => {
    async function setupManual() {
      const clock = new ManualClock(Date.now());
      const sandbox = await openSandbox();
      const opened = await openProvider(name, sandbox, { clock });
      await opened.provider.warm();
      expect(await opened.send()).toEqual(delivered);
      return { clock, sandbox, ...opened };
    }

    it('stops waiting for a push that is never answered, and uses another connection', async () => {
      const { clock, sandbox, send, events } = await setupManual();
      sandbox.script({ provider: name, fault: { kind: 'hang' } });
      const outcome = send({ timeoutMs: 100 });
      // The answer to a second push proves that the peer is alive.
      await sandbox.waitForRequests(({ provider }) => provider === name, 2);
      expect(await send()).toEqual(delivered);
      clock.advance(100);
      expect(await outcome).toEqual(retry('unanswered', 'timeout'));
      expect(await send()).toEqual(delivered);
      expect(connected(events)).toBe(2);
      const requests = sandbox.requests().filter(({ provider }) => provider === name);
      expect(requests).toHaveLength(4);
    });

    it.each([
      ['a success', { kind: 'delay', delayMs: 300 }, delivered],
      ['a failure', { kind: 'empty', status: 503, delayMs: 300 }, retry('answered', 'status_503')],
    ] as const)('tells %s that comes after the deadline', async (_name, fault, expected) => {
      const { clock, sandbox, send } = await setupManual();
      sandbox.script({ provider: name, fault });
      const late: Outcome[] = [];
      const outcome = send({ timeoutMs: 100, onLate: (answer) => late.push(answer) });
      await sandbox.waitForRequests(({ provider }) => provider === name, 2);
      expect(await send()).toEqual(delivered);
      clock.advance(100);
      expect(await outcome).toEqual(retry('unanswered', 'timeout'));
      await vi.waitFor(() => expect(late).toEqual([expected]));
    });

    it('ignores an answer that comes 10 s after the deadline', async () => {
      const { clock, sandbox, send } = await setupManual();
      sandbox.script({ provider: name, fault: { kind: 'delay', delayMs: 300 } });
      const late: Outcome[] = [];
      const outcome = send({ timeoutMs: 100, onLate: (answer) => late.push(answer) });
      await sandbox.waitForRequests(({ provider }) => provider === name, 2);
      expect(await send()).toEqual(delivered);
      clock.advance(100);
      expect(await outcome).toEqual(retry('unanswered', 'timeout'));
      clock.advance(10_000);
      while (sandbox.connections()[name].open > 1) await turn();
      expect(late).toEqual([]);
    });

    it('resets a connection on which the peer kept silent until the deadline', async () => {
      const { clock, sandbox, send, events } = await setupManual();
      sandbox.blackhole(name);
      const outcome = send({ timeoutMs: 300 });
      await turn();
      clock.advance(300);
      expect(await outcome).toEqual(retry('uncertain', 'connection_dead'));
      expect(events).toContainEqual({
        kind: 'connection_ended',
        why: 'connection_dead',
        carried: 2,
        trust: 'proven',
      });
      expect(await send()).toEqual(delivered);
      expect(sandbox.received()).toHaveLength(2);
    });

    it('detects a half-dead connection and recovers within the deadline', async () => {
      const { clock, sandbox, send } = await setupManual();
      sandbox.blackhole(name);
      const startedAtMs = clock.nowMs();
      const outcomes = [send(), send(), send()];
      while (clock.nowMs() - startedAtMs < 1_500) {
        await turn();
        clock.advance(100);
        await turn();
      }
      expect(await Promise.all(outcomes)).toEqual(
        Array.from({ length: 3 }, () => retry('uncertain', 'connection_dead')),
      );
      expect(await send()).toEqual(delivered);
    });

    it('bounds the time that a push waits for a free stream, and counts none of it as the push’s own time', async () => {
      const clock = new ManualClock(Date.now());
      const sandbox = await openSandbox();
      const { send } = await openProvider(name, sandbox, { clock, maxInFlight: 1 });
      expect(await send()).toEqual(delivered);
      sandbox.script({ provider: name, fault: { kind: 'delay', delayMs: 500 } });
      const first = send({ timeoutMs: 1_000 });
      const second = send({ waitMs: 300 });
      const third = send({ waitMs: 500, timeoutMs: 100 });
      await sandbox.waitForRequests(({ provider }) => provider === name, 2);
      clock.advance(400);
      expect(await second).toEqual(retry('not_started', 'timeout_waiting'));
      expect(await first).toEqual(delivered);
      expect(await third).toEqual(delivered);
      expect(sandbox.received()).toHaveLength(3);
    });

    it('reports that no push can be sent when three in a row waited without getting a stream', async () => {
      const clock = new ManualClock(Date.now());
      const sandbox = await openSandbox();
      const { send, provider } = await openProvider(name, sandbox, { clock, maxInFlight: 1 });
      expect(await send()).toEqual(delivered);
      sandbox.script({ provider: name, fault: { kind: 'delay', delayMs: 500 } });
      const first = send({ timeoutMs: 1_000 });
      const waiting = [100, 200, 300].map((waitMs) => send({ waitMs }));
      clock.advance(200);
      await Promise.all(waiting.slice(0, 2));
      expect(provider.health()).toEqual({ ready: true });
      clock.advance(100);
      expect(await waiting[2]).toEqual(retry('not_started', 'timeout_waiting'));
      expect(provider.health()).toEqual({
        ready: false,
        detail: expect.stringMatching(/^timeout_waiting: No connection and no free stream/),
      });
      expect(await first).toEqual(delivered);
      expect(provider.health()).toEqual({ ready: true });
    });
  });

  describeConnections(test);
}

// What every provider promises, whatever goes wrong between it and the service: run for each adapter against
// the sandbox with every fault that can be scripted there.

import { describe, expect, it, vi } from 'vitest';
import type { Fault } from '../../sandbox/faults.ts';
import type { ProviderName } from '../../sandbox/records.ts';
import type { Outcome } from '../../src/core/outcome.ts';
import { connected, openProvider, openSandbox, TOKENS, turn } from '../providers/support.ts';
import { ManualClock } from '../support/manual-clock.ts';

export interface ContractCase {
  readonly name: ProviderName;
  /** Tokens of the form that the provider takes. */
  token(index: number): string;
  /** How many streams the stand-in takes on a connection. */
  readonly streamLimit: number;
  /** What a body that breaks off after a 200 means. */
  readonly cutOff: object;
}

const delivered = expect.objectContaining({ kind: 'delivered' });

function retry(certainty: string, reason: string) {
  return { kind: 'retry', certainty, reason };
}

/** Faults of a single request, what they mean, and whether the connection survives. */
const FAULTS: readonly [string, Fault, unknown, 'same' | 'fresh'][] = [
  [
    'a refused stream',
    { kind: 'refused_stream' },
    retry('not_processed', 'refused_stream'),
    'same',
  ],
  [
    'a reset stream',
    { kind: 'reset', scope: 'stream' },
    retry('unanswered', 'stream_reset'),
    'same',
  ],
  [
    'a reset stream whose push was taken',
    { kind: 'reset', scope: 'stream', accepted: true },
    retry('unanswered', 'stream_reset'),
    'same',
  ],
  [
    'a reset connection',
    { kind: 'reset', scope: 'connection' },
    retry('uncertain', 'connection_lost'),
    'fresh',
  ],
  ['a GOAWAY that covers the stream', { kind: 'goaway' }, delivered, 'fresh'],
  [
    'a GOAWAY below the stream',
    { kind: 'goaway', processed: false },
    retry('not_processed', 'goaway'),
    'fresh',
  ],
  // Node's client ends every stream at such a GOAWAY (decision 5): one more try with the same id.
  [
    'a GOAWAY with an error',
    { kind: 'goaway', code: 2 },
    retry('uncertain', 'connection_lost'),
    'fresh',
  ],
  [
    'a GOAWAY with an error below the stream',
    { kind: 'goaway', code: 11, processed: false },
    retry('not_processed', 'goaway'),
    'fresh',
  ],
  ['an HTML page with 502', { kind: 'html' }, retry('answered', 'status_502'), 'same'],
  ['an HTML page with 504', { kind: 'html', status: 504 }, retry('answered', 'status_504'), 'same'],
  ['an empty 503', { kind: 'empty' }, retry('answered', 'status_503'), 'same'],
  [
    'an empty 503 with Retry-After',
    { kind: 'empty', retryAfterSeconds: 7 },
    { ...retry('answered', 'status_503'), retryAfterMs: 7_000 },
    'same',
  ],
  [
    'JSON that breaks off after 500',
    { kind: 'bad_json', status: 500 },
    retry('answered', 'status_500'),
    'same',
  ],
];

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
      // Its answer proves that the peer is there.
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

    it('does not hear an answer that comes 10 s after the deadline', async () => {
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

    it('finds a half-dead connection out and is back within the deadline', async () => {
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

    it('bounds the time that a push waits for a free stream, and counts none of it', async () => {
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

    it('says that no push can be sent when three in a row wait in vain', async () => {
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

  describe(`${name}: connections`, () => {
    it('loses none of the pushes in flight when the provider says GOAWAY', async () => {
      const { sandbox, send, events } = await setup();
      await send();
      sandbox.script({ provider: name, times: 20, fault: { kind: 'delay', delayMs: 20 } });
      const outcomes = Array.from({ length: 20 }, (_, index) => send({ token: test.token(index) }));
      await sandbox.waitForRequests(({ provider }) => provider === name, 21);
      sandbox.goAway(name);
      // Written before the GOAWAY was read, so above its last id; the next one goes a new way at once,
      // while the twenty are still being answered on the old.
      expect(await send()).toEqual(retry('not_processed', 'goaway'));
      expect(await send()).toEqual(delivered);
      expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 20 }, () => delivered));
      expect(connected(events)).toBe(2);
      expect(sandbox.received()).toHaveLength(22);
    });

    it('delivers a cold burst of 300 over as few connections as it can, without a refusal', async () => {
      const { sandbox, send, events } = await setup();
      const outcomes = await Promise.all(
        Array.from({ length: 300 }, (_, index) => send({ token: test.token(index) })),
      );
      expect(outcomes).toEqual(Array.from({ length: 300 }, () => delivered));
      expect(sandbox.received()).toHaveLength(300);
      expect(connected(events)).toBeLessThanOrEqual(Math.ceil(300 / test.streamLimit));
    });

    it('delivers 1,000 at once to a provider that needs 200 ms for each, within their deadline', async () => {
      const { sandbox, send, events } = await setup();
      await send();
      sandbox.script({ provider: name, times: 1_000, fault: { kind: 'delay', delayMs: 200 } });
      const outcomes = await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => send({ token: test.token(index) })),
      );
      expect(outcomes).toEqual(Array.from({ length: 1_000 }, () => delivered));
      expect(connected(events)).toBeLessThanOrEqual(Math.ceil(1_000 / test.streamLimit));
    });

    it('opens at most two connections for tokens that never worked', async () => {
      const { sandbox, send, events } = await setup();
      sandbox.script({ provider: name, times: 500, fault: { kind: 'delay', delayMs: 20 } });
      const outcomes = await Promise.all(
        Array.from({ length: 500 }, (_, index) =>
          send({ token: test.token(index), trust: 'unproven' }),
        ),
      );
      expect(outcomes).toEqual(Array.from({ length: 500 }, () => delivered));
      expect(connected(events)).toBe(test.streamLimit < 500 ? 2 : 1);
    });

    it('sends thousands of pushes over one connection', async () => {
      const { sandbox, send } = await setup();
      for (let round = 0; round < 40; round += 1) {
        await Promise.all(
          Array.from({ length: 50 }, (_, index) => send({ token: test.token(index) })),
        );
      }
      const { perConnection } = sandbox.connections()[name];
      expect(perConnection.map(({ requests }) => requests).filter((count) => count > 1)).toEqual([
        2_000,
      ]);
      expect(sandbox.received()).toHaveLength(2_000);
    });

    it('knows a refused connection from an uncertain one, and recovers', async () => {
      const { sandbox, send, provider } = await setup();
      await send();
      await sandbox.refuseConnections(name, true, { reset: true });
      // The first may still meet the old connection; the second cannot.
      await send();
      expect(await send()).toEqual(retry('not_processed', 'connection_refused'));
      expect(provider.health()).toEqual({
        ready: false,
        detail: expect.stringMatching(/^connection_refused: /),
      });
      await sandbox.refuseConnections(name, false);
      expect(await send()).toEqual(delivered);
      expect(provider.health()).toEqual({ ready: true });
    });

    it('does not talk to a server whose certificate it does not trust', async () => {
      const sandbox = await openSandbox();
      const { send, provider } = await openProvider(name, sandbox, { ca: undefined });
      const health = await provider.warm();
      expect(health).toEqual({ ready: false, detail: expect.stringMatching(/tls_untrusted: /) });
      expect(await send()).toEqual({
        kind: 'misconfigured',
        reason: expect.stringMatching(/tls_untrusted$/),
      });
      expect(sandbox.requests()).toEqual([]);
    });

    it('keeps tokens that never worked on a connection of their own', async () => {
      const { sandbox, send, events } = await setup();
      expect(await send({ trust: 'unproven' })).toEqual(delivered);
      expect(await send({ trust: 'proven' })).toEqual(delivered);
      expect(events.map(({ trust }) => trust)).toEqual(['unproven', 'proven']);
      const [unproven, proven] = sandbox.received().map(({ connection }) => connection);
      expect(unproven).not.toBe(proven);
    });

    it('connects and gets its credentials before the first push', async () => {
      const { sandbox, send, provider, events } = await setup();
      expect(provider.health().ready).toBe(false);
      expect(await provider.warm()).toEqual({ ready: true });
      const before = sandbox.requests().length;
      expect(await send()).toEqual(delivered);
      expect(sandbox.requests()).toHaveLength(before + 1);
      expect(connected(events)).toBe(1);
    });
  });

  describe(`${name}: closing`, () => {
    it('leaves no connection behind and refuses what comes later', async () => {
      const sandbox = await openSandbox();
      const { provider, send } = await openProvider(name, sandbox, { keepOpen: true });
      await send();
      await send({ trust: 'unproven' });
      await provider.close();
      await provider.close();
      expect(await send()).toEqual(retry('not_started', 'closed'));
      expect(await provider.warm()).toMatchObject({ ready: false });
      while (sandbox.connections()[name].open > 0) await turn();
    });

    it('lets pushes in flight finish', async () => {
      const sandbox = await openSandbox();
      const { provider, send } = await openProvider(name, sandbox, { keepOpen: true });
      await send();
      sandbox.script({ provider: name, fault: { kind: 'delay', delayMs: 30 } });
      const inFlight = send();
      await sandbox.waitForRequests((request) => request.provider === name, 2);
      const order: string[] = [];
      await Promise.all([
        inFlight.then((outcome) => order.push(outcome.kind)),
        provider.close().then(() => order.push('closed')),
      ]);
      expect(order).toEqual(['delivered', 'closed']);
    });
  });
}

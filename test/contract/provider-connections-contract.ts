// What every provider promises about its connections, from the first to the last.

import { describe, expect, it } from 'vitest';
import { connected, openProvider, openSandbox, turn } from '../providers/support.ts';
import type { ContractCase } from './provider-contract.ts';
import { delivered, retry } from './provider-faults.ts';

export function describeConnections(test: ContractCase): void {
  const { name } = test;

  async function setup() {
    const sandbox = await openSandbox();
    const opened = await openProvider(name, sandbox);
    return { sandbox, ...opened };
  }

  describe(`${name}: connections`, () => {
    it('loses none of the pushes in flight when the provider says GOAWAY', async () => {
      const { sandbox, send, events } = await setup();
      await send();
      sandbox.script({ provider: name, times: 20, fault: { kind: 'delay', delayMs: 20 } });
      const outcomes = Array.from({ length: 20 }, (_, index) => send({ token: test.token(index) }));
      await sandbox.waitForRequests(({ provider }) => provider === name, 21);
      sandbox.goAway(name);
      // This push was written before the GOAWAY was read, so its stream is above the last id; the next push uses a new
      // connection at once, while the twenty are still being answered on the old one.
      expect(await send()).toEqual(retry('not_processed', 'goaway'));
      expect(await send()).toEqual(delivered);
      expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 20 }, () => delivered));
      expect(connected(events)).toBe(2);
      expect(sandbox.received()).toHaveLength(22);
    });

    it('delivers a cold burst of 300 over as few connections as possible, without a refusal', async () => {
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

    it('tells a refused connection from an uncertain one, and recovers', async () => {
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
    it('leaves no connection open and refuses later pushes', async () => {
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

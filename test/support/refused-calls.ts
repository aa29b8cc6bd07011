// A service whose refusals a test reads, and calls that it refuses.

import { expect } from 'vitest';
import type { Refusal } from '../../src/core/ports/records.ts';
import { readRecordedRows } from '../stores/sqlite/recorded-rows.ts';
import { type Answer, type Call, problemOf, send } from './callers.ts';
import { paymentBody, registerPhone } from './device-calls.ts';
import { createWallet } from './lightning-wallet.ts';
import { ManualClock } from './manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from './registry.ts';
import { type Setup, setup } from './service.ts';

export const HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
export const UNKNOWN_HANDLE = 'AAAAAAAAAAAAAAAAAAAAAA';
export const [ADDRESS_HEADER, ADDRESS] = ['x-test-address', '203.0.113.77'];
export const NOW_MS = 1_754_049_600_000;
export const HOUR_MS = 3_600_000;
export const lsp = createWallet(1);
export const stranger = createWallet(2);

export const recorded = ({ environment }: Setup) =>
  readRecordedRows(environment.NDS_DATABASE ?? '');

export async function refusalsOf(running: Setup): Promise<readonly Refusal[]> {
  await running.service.settled();
  return recorded(running).refusals;
}

export async function start(environment: Record<string, string | undefined> = {}) {
  const clock = new ManualClock(NOW_MS);
  const domains = { 'pay.example.com': { secrets: ['secret-of-the-domain'] } };
  const running = await setup({
    clock,
    environment: {
      ...REGISTRY_ENVIRONMENT,
      NDS_TRUSTED_ADDRESS_HEADER: ADDRESS_HEADER,
      NDS_SOURCES: JSON.stringify({ domains }),
      ...environment,
    },
  });
  const device = await registerPhone(running, {
    secrets: { resmic: ['secret-of-the-device'] },
    lsp_node_ids: [lsp.publicKey],
  });
  const { fingerprint } = running.service.ids;
  const call = (given: Call): Promise<Answer> => {
    const headers = { ...given.headers, [ADDRESS_HEADER]: ADDRESS };
    return send(running.service.url, { ...given, headers });
  };
  return {
    ...{ running, clock, device, fingerprint, call },
    /** Calls, and returns the row of the refusal. */
    refused: async (given: Call): Promise<Refusal> => {
      const answer = await call(given);
      const row = (await refusalsOf(running)).at(-1);
      const id = answer.headers['request-id'];
      const { code, instance } = problemOf(answer);
      expect(instance).toBe(`urn:uuid:${id}`);
      const { status } = answer;
      expect(row).toMatchObject({
        ...{ requestId: id, status, code },
        count: 1,
        atMs: clock.wallMs(),
      });
      if (row === undefined) throw new Error('no refusal');
      return row;
    },
  };
}

export const VALID = paymentBody(HASH);
export const TOKEN_FORM = { door: '/api/v1/notify', source: 'notify' };

// Several machines of the service in this process, over one PostgreSQL and the same stand-ins.

import { onTestFinished } from 'vitest';
import { DEFAULT_POLICY } from '../../src/core/policy.ts';
import type { Clock } from '../../src/core/ports/clock.ts';
import { type Service, startService } from '../../src/main.ts';
import { prepare } from '../../src/service/prepare.ts';
import { createSystemClock } from '../../src/service/system.ts';
import { createTestLog, notifyPath, type Setup, setup } from '../support/service.ts';

export interface Machine {
  readonly service: Service;
  readonly log: ReturnType<typeof createTestLog>;
  /** POSTs a payment_received for a token; resolves with the answer. */
  pay(
    token: string,
    paymentHash: string,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
}

export interface Machines {
  readonly first: Setup;
  /** Starts another machine with the same configuration. */
  start(environment?: Record<string, string>): Promise<Machine>;
  payAt(
    machine: Pick<Machine, 'service'>,
    token: string,
    paymentHash: string,
  ): ReturnType<Machine['pay']>;
}

/** The machine's clock with a longer time for keys, so that no push goes out unclaimed because the machine is busy. */
export function patientClock(): Clock {
  const clock = createSystemClock();
  const { claimTimeoutMs } = DEFAULT_POLICY;
  const after: Clock['after'] = (delayMs, task) =>
    clock.after(delayMs === claimTimeoutMs ? 20 * claimTimeoutMs : delayMs, task);
  return { ...clock, after };
}

/** Each machine has a clock of its own from `newClock`; the first machine's is made first. */
export async function startMachines(
  url: string,
  environment: Record<string, string> = {},
  newClock: () => Clock = patientClock,
): Promise<Machines> {
  const ours = { NDS_DATABASE: url, NDS_DRAIN: '0ms', ...environment };
  const first = await setup({ environment: ours, clock: newClock() });
  const payAt: Machines['payAt'] = async ({ service }, token, paymentHash) => {
    const response = await fetch(`${service.url}${notifyPath(token)}`, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({ template: 'payment_received', data: { payment_hash: paymentHash } }),
    });
    const text = await response.text();
    const body: Record<string, unknown> = text === '' ? {} : JSON.parse(text);
    return { status: response.status, body };
  };
  return {
    first,
    payAt,
    async start(changed = {}) {
      const clock = newClock();
      const log = createTestLog();
      const prepared = await prepare({ ...first.environment, ...changed }, clock);
      const service = await startService(prepared, log, { clock, proves: false });
      onTestFinished(() => service.stop());
      return { service, log, pay: (token, hash) => payAt({ service }, token, hash) };
    },
  };
}

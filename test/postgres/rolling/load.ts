// Callers that call at a fixed rate through the proxy, and the result of each call and its push.

import { Generator } from '../../../bench/generator.ts';
import { numberIn } from '../../../bench/numbering.ts';
import type { Sandbox } from '../../../sandbox/sandbox.ts';

export interface LoadOptions {
  readonly sandbox: Pick<Sandbox, 'onPush'>;
  readonly port: number;
  readonly ratePerSecond: number;
  /** At least this many calls are made. */
  readonly calls: number;
  /** Asked after those: whether calls continue for two more seconds. */
  readonly goesOn: () => boolean;
}

export interface Loaded {
  readonly calls: number;
  /** How often each status came, together with `Delivery-Status`; `broken` is a call without an answer. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Calls that got no 200. */
  readonly refused: number;
  /** Calls whose phone got no push, and pushes that a phone got twice. */
  readonly unpushed: number;
  readonly repeated: number;
  /** From when a call was due to its answer: half of the calls, and 99 of 100, took no longer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MORE_SECONDS = 2;

export async function load(options: LoadOptions): Promise<Loaded> {
  const { sandbox, port, ratePerSecond, goesOn } = options;
  const pushes = new Map<number, number>();
  const forget = sandbox.onPush(({ data }) => {
    const number = numberIn(data.notification_payload ?? '');
    if (number !== undefined) pushes.set(number, (pushes.get(number) ?? 0) + 1);
  });
  await using generator = new Generator();
  const target = { host: '127.0.0.1', port, api: 'breez', topic: '' } as const;
  const statuses: Record<string, number> = {};
  const latenciesUs: number[] = [];
  let count = options.calls;
  do {
    const pattern = { kind: 'open', ratePerSecond } as const;
    const firstNumber = latenciesUs.length;
    const record = await generator.run(target, pattern, { mix: 'mixed', count, firstNumber });
    for (const [status, times] of Object.entries(record.statuses)) {
      const name = status === '' ? 'broken' : status;
      statuses[name] = (statuses[name] ?? 0) + times;
    }
    record.answeredUs.forEach((atUs, index) => {
      latenciesUs.push(atUs - (record.dueUs[index] ?? 0));
    });
    count = MORE_SECONDS * ratePerSecond;
  } while (goesOn());
  forget();
  latenciesUs.sort((one, other) => one - other);
  const calls = latenciesUs.length;
  const atMs = (share: number) => Math.round((latenciesUs[Math.floor(calls * share)] ?? 0) / 1_000);
  return {
    calls,
    statuses,
    refused: calls - sum(Object.keys(statuses).filter(isOk), statuses),
    unpushed: calls - pushes.size,
    repeated: [...pushes.values()].reduce((total, times) => total + times - 1, 0),
    p50Ms: atMs(0.5),
    p99Ms: atMs(0.99),
  };
}

function isOk(status: string): boolean {
  return status.startsWith('200');
}

function sum(names: readonly string[], counts: Readonly<Record<string, number>>): number {
  return names.reduce((total, name) => total + (counts[name] ?? 0), 0);
}

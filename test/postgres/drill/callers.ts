// Callers that keep a record. Each call is for another phone and goes to a random machine, as through a proxy. It is
// repeated once, at another machine, if the first broke the connection or did not answer for six seconds.

import type { FaultRule } from '../../../sandbox/sandbox.ts';
import { type CallerAnswer, createCaller } from '../../chaos/caller.ts';
import { bodyOf, type Fault, tokenOf } from '../../chaos/load.ts';
import type { Chance } from '../../support/chance.ts';
import { notifyPath } from '../../support/service.ts';
import type { Machine } from './machine.ts';

const TYPES = ['payment_received', 'payment_received', 'tx_confirmed', 'swap_updated'] as const;
/** A second more than a service may take for its answer. */
const PATIENCE_MS = 6_000;

/** Faults of some first pushes. Only for races: news would be tried again only after minutes. */
const FAULTS: readonly [Fault, ...Fault[]] = [
  { kind: 'hang', accepted: true },
  { kind: 'hang', accepted: false },
  { kind: 'reset', scope: 'stream', accepted: true },
  { kind: 'refused_stream' },
  { kind: 'delay', delayMs: 3_000 },
  { kind: 'empty', status: 503 },
];
const FAULTY = 0.15;

export interface Try {
  readonly machine: number;
  readonly atMs: number;
  /** Absent if the connection broke, or while the machine does not answer. */
  answer?: CallerAnswer;
  endedAtMs?: number;
}

export interface Call {
  readonly number: number;
  readonly token: string;
  readonly type: (typeof TYPES)[number];
  readonly tries: readonly Try[];
}

export interface Callers {
  readonly calls: readonly Call[];
  /** Makes no new calls; resolves when the earlier ones have ended. */
  stop(): Promise<void>;
}

export function startCallers(
  machines: readonly Machine[],
  { perSecond, chance }: { readonly perSecond: number; readonly chance: Chance },
): Callers {
  const calls: Call[] = [];
  const caller = createCaller();
  const underWay = new Set<Promise<void>>();

  function script(rule: FaultRule): void {
    for (const { sandbox } of machines) sandbox.script(rule);
  }

  function pick(except?: number): Machine | undefined {
    const [first, ...rest] = machines.filter(
      ({ url, number }) => url !== undefined && number !== except,
    );
    return first && chance.pick([first, ...rest]);
  }

  /** Resolves at the answer, or when the caller has waited long enough; a later answer is recorded, too. */
  async function callAt(machine: Machine, call: Call & { readonly tries: Try[] }): Promise<void> {
    const one: Try = { machine: machine.number, atMs: Date.now() };
    call.tries.push(one);
    const body = bodyOf(call.type, call.number);
    const ended = caller
      .post(machine.url ?? '', { path: notifyPath(call.token), body })
      .then((answer) => {
        if (answer !== undefined) one.answer = answer;
        one.endedAtMs = Date.now();
      });
    track(ended);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, PATIENCE_MS);
    await Promise.race([ended, promise]);
    clearTimeout(timer);
    if (one.answer !== undefined || call.tries.length > 1) return;
    const other = pick(machine.number);
    if (other !== undefined) await callAt(other, call);
  }

  function callOnce(): void {
    const number = calls.length;
    const type = chance.pick(TYPES);
    const token = tokenOf(chance.pick(['ios', 'android']), number);
    if (type === 'payment_received' && chance.happens(FAULTY)) {
      script({ token, fault: chance.pick(FAULTS) });
    }
    const machine = pick();
    if (machine === undefined) return;
    const call = { number, token, type, tries: [] };
    calls.push(call);
    track(callAt(machine, call));
  }

  function track(work: Promise<void>): void {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  }

  const timer = setInterval(callOnce, 1_000 / perSecond);
  return {
    calls,
    async stop() {
      clearInterval(timer);
      while (underWay.size > 0) await Promise.all(underWay);
      caller.close();
    },
  };
}

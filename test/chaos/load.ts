// The calls that are posted while the service dies again and again: one phone for every call, so that each push and
// each request at the stand-ins belongs to exactly one call; and phones whose tokens are dead.

import type { FaultRule, Sandbox } from '../../sandbox/sandbox.ts';
import type { Chance } from '../support/chance.ts';
import { notifyPath } from '../support/service.ts';
import type { CallerAnswer, Post } from './caller.ts';

export type Platform = 'ios' | 'android';
export type Fault = FaultRule['fault'];

export interface PlannedCall extends Post {
  readonly token: string;
  readonly type: string;
  readonly isDead: boolean;
  /** The fault of its first push, and perhaps of its second. */
  readonly fault?: Fault;
}

/** A call that was made, and its answer, which is absent if the service died meanwhile. */
export interface MadeCall extends PlannedCall {
  readonly answer: CallerAnswer | undefined;
}

const TYPES = ['payment_received', 'tx_confirmed', 'swap_updated', 'swap_updated'] as const;
const DEAD_TOKENS = 6;

export function createPlan(sandbox: Sandbox, chance: Chance): () => PlannedCall {
  const dead = scriptDeadTokens(sandbox);
  let number = 0;
  return () => {
    number += 1;
    const platform: Platform = chance.pick(['ios', 'android']);
    const type = chance.pick(TYPES);
    const isDead = chance.happens(0.06);
    const token = isDead ? chance.pick(dead[platform]) : tokenOf(platform, number);
    const call = { path: notifyPath(token), body: bodyOf(type, number), token, type, isDead };
    if (isDead || !chance.happens(0.2)) return call;
    const fault = faultFor(platform, chance);
    sandbox.script({ fault, times: chance.pick([1, 1, 2]), token });
    return { ...call, fault };
  };
}

export function tokenOf(platform: Platform, number: number | string): string {
  if (platform === 'android') return `phone-${number}:APA91bChaos`;
  return Buffer.from(`chaos-${number}`).toString('hex').padEnd(64, '0');
}

function scriptDeadTokens(sandbox: Sandbox): Readonly<Record<Platform, [string, ...string[]]>> {
  const tokens = (platform: Platform): [string, ...string[]] => {
    const [first, ...rest] = Array.from({ length: DEAD_TOKENS }, (_, index) =>
      tokenOf(platform, `dead-${index}`),
    );
    return [first ?? '', ...rest];
  };
  const dead = { ios: tokens('ios'), android: tokens('android') };
  for (const token of dead.ios) {
    sandbox.script({ token, times: Infinity, fault: { kind: 'reason', reason: 'Unregistered' } });
  }
  for (const token of dead.android) {
    const fault = { kind: 'fcm_error', error: 'UNREGISTERED' } as const;
    sandbox.script({ token, times: Infinity, fault });
  }
  return dead;
}

export function bodyOf(type: (typeof TYPES)[number], number: number): string {
  switch (type) {
    case 'payment_received':
      return JSON.stringify({ template: type, data: { payment_hash: `hash-${number}` } });
    case 'tx_confirmed':
      return JSON.stringify({ template: type, data: { tx_id: `tx-${number}` } });
    case 'swap_updated':
      return JSON.stringify({
        event: 'swap.update',
        data: { id: `swap-${number}`, status: 'transaction.mempool' },
      });
  }
}

const SHARED_FAULTS: readonly [Fault, ...Fault[]] = [
  { kind: 'hang', accepted: true },
  { kind: 'hang', accepted: false },
  { kind: 'reset', scope: 'stream', accepted: true },
  { kind: 'reset', scope: 'stream', accepted: false },
  { kind: 'reset', scope: 'connection', accepted: true },
  { kind: 'reset', scope: 'connection', accepted: false },
  { kind: 'refused_stream' },
  { kind: 'goaway', processed: true },
  { kind: 'goaway', processed: false },
  { kind: 'delay', delayMs: 3_000 },
  { kind: 'empty', status: 503 },
  { kind: 'html', status: 502 },
];

function faultFor(platform: Platform, chance: Chance): Fault {
  if (!chance.happens(0.15)) return chance.pick(SHARED_FAULTS);
  return platform === 'ios'
    ? { kind: 'reason', reason: 'ServiceUnavailable' }
    : { kind: 'fcm_error', error: 'UNAVAILABLE' };
}

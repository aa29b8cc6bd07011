// What can go wrong between the provider's acceptance and the work of the wallet, and what the service may conclude
// from it. Several faults look the same from outside: the service can then say only that no receipt came.

import type { Behaviour } from './phone.ts';

export interface Fault {
  readonly name: string;
  /** What the service has to conclude about a push to such a phone. */
  readonly conclusion: 'woke' | 'late' | 'demoted' | 'no_receipt' | 'unknown';
  /** Only for `woke`: how far the phone came, and why it stopped there. */
  readonly stage?: 'done' | 'failed' | undefined;
  readonly why?: string | undefined;
  /** Whether the phone sent receipts before. */
  readonly isSender: boolean;
  /** `usefulMs`: how long the push is useful. `draw`: returns a number from 0 to 1. */
  readonly behaviour: (given: {
    readonly usefulMs: number;
    readonly draw: () => number;
  }) => Behaviour;
}

const SILENT = { conclusion: 'no_receipt', isSender: true } as const;
const FAILED = { conclusion: 'woke', stage: 'failed', isSender: true } as const;

/** Fast enough for any race. */
function soon(draw: () => number): Pick<Behaviour, 'wakeMs' | 'workMs'> {
  return { wakeMs: 50 + 400 * draw(), workMs: 100 + 400 * draw() };
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'none',
    ...{ conclusion: 'woke', stage: 'done', isSender: true },
    behaviour: ({ draw }) => soon(draw),
  },
  {
    name: 'receipts twice and out of order',
    ...{ conclusion: 'woke', stage: 'done', isSender: true },
    behaviour: ({ draw }) => ({ ...soon(draw), isConfused: true }),
  },
  {
    name: 'sleeps too long',
    ...{ conclusion: 'late', isSender: true },
    behaviour: ({ usefulMs, draw }) => ({ wakeMs: usefulMs + 1_000 + 1_000 * draw(), workMs: 100 }),
  },
  {
    name: 'demoted by Android',
    ...{ conclusion: 'demoted', isSender: true },
    behaviour: ({ draw }) => ({ ...soon(draw), words: { priority: 'normal', original: 'high' } }),
  },
  {
    name: 'out of quota',
    ...{ ...FAILED, why: 'quota' },
    behaviour: ({ draw }) => ({ ...soon(draw), failsWith: 'quota' }),
  },
  {
    name: 'locked since its start',
    ...{ ...FAILED, why: 'locked' },
    behaviour: ({ draw }) => ({ ...soon(draw), failsWith: 'locked' }),
  },
  {
    name: 'fails to connect',
    ...{ ...FAILED, why: 'timeout' },
    behaviour: ({ draw }) => ({ ...soon(draw), failsWith: 'timeout' }),
  },
  { name: 'lost by the provider', ...SILENT, behaviour: () => ({}) },
  { name: 'stopped by force', ...SILENT, behaviour: () => ({}) },
  { name: 'notifications off', ...SILENT, behaviour: () => ({}) },
  { name: 'no network', ...SILENT, behaviour: ({ draw }) => ({ ...soon(draw), isMute: true }) },
  {
    name: 'an app without receipts',
    ...{ conclusion: 'unknown', isSender: false },
    behaviour: ({ draw }) => ({ ...soon(draw), isMute: true }),
  },
];

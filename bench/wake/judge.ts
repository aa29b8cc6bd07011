// Compares faults with conclusions: each row is a fault, and nearly all of its phones must be in the correct column.

import { FAULTS, type Fault } from '../../sandbox/phones/faults.ts';
import type { WakeConclusion } from '../../src/core/receipts/conclusion.ts';

const KINDS = ['woke', 'late', 'demoted', 'no_receipt', 'unknown'] as const;
const LEAST_SHARE = 0.99;
const NAME_WIDTH = 32;
const COLUMN_WIDTH = 12;

export interface Judged {
  readonly fault: Fault;
  /** Absent: the service knows nothing about the push. */
  readonly conclusion: WakeConclusion | undefined;
}

export interface Row {
  readonly fault: Fault;
  readonly total: number;
  readonly counts: Readonly<Record<(typeof KINDS)[number], number>>;
  /** Those that also have the correct stage and reason. */
  readonly right: number;
}

export function judge(all: readonly Judged[]): readonly Row[] {
  return FAULTS.map((fault) => {
    const own = all.filter((one) => one.fault === fault);
    const count = (kind: string) =>
      own.filter(({ conclusion }) => conclusion?.kind === kind).length;
    const [woke, late, demoted] = [count('woke'), count('late'), count('demoted')];
    const counts = {
      woke,
      late,
      demoted,
      no_receipt: count('no_receipt'),
      unknown: count('unknown'),
    };
    const right = own.filter(({ conclusion }) => agrees(fault, conclusion)).length;
    return { fault, total: own.length, counts, right };
  });
}

function agrees(fault: Fault, conclusion: WakeConclusion | undefined): boolean {
  if (conclusion?.kind !== fault.conclusion) return false;
  if (fault.stage !== undefined && conclusion.stage !== fault.stage) return false;
  return conclusion.why === fault.why;
}

export function isRight({ total, right }: Row): boolean {
  return right >= LEAST_SHARE * total;
}

export function formatHead(): string {
  return ['fault'.padEnd(NAME_WIDTH), ...KINDS.map((kind) => kind.padStart(COLUMN_WIDTH))].join('');
}

export function formatRow(row: Row): string {
  const { fault, counts, total, right } = row;
  const cells = KINDS.map((kind) => String(counts[kind]).padStart(COLUMN_WIDTH));
  const verdict = isRight(row) ? '' : `  MISSED: ${right} of ${total} are ${fault.conclusion}`;
  return `${fault.name.padEnd(NAME_WIDTH)}${cells.join('')}${verdict}`;
}

// The figures of a simulation of wakes, as they are printed, and the goals for them.

import type { WakeReport } from './wakes.ts';

interface Figure {
  readonly name: string;
  readonly value: string;
  /** What second knocks promise; absent without them. */
  readonly goal?: { readonly text: string; readonly isMet: boolean } | undefined;
}

export function figuresOf(report: WakeReport, hasKnock: boolean): readonly Figure[] {
  const { reachable, unreachable, lost, knocks, disturbing, shownTwice, heldUp } = report;
  const rescued = lost.woken / lost.deliveries;
  const pushes = reachable.pushes / reachable.deliveries;
  const disturbed = knocks === 0 ? 0 : disturbing / knocks;
  const goal = (text: string, isMet: boolean) => (hasKnock ? { text, isMet } : undefined);
  return [
    {
      name: 'woken within the useful life',
      value: percent(reachable.woken / reachable.deliveries),
    },
    {
      name: '  of phones whose first push was lost',
      value: percent(rescued),
      goal: goal('90 % at least', rescued >= 0.9),
    },
    {
      name: '  of these by a push of this payment',
      value: percent(lost.wokenByOwn / lost.deliveries),
    },
    {
      name: 'pushes per payment, phones that can be reached',
      value: pushes.toFixed(3),
      goal: goal('1.12 at most', pushes <= 1.12),
    },
    {
      name: 'pushes per payment, the others',
      value: (unreachable.pushes / Math.max(1, unreachable.deliveries)).toFixed(3),
    },
    {
      name: 'second knocks',
      value: String(knocks),
    },
    {
      name: '  at phones that were awake and working',
      value: percent(disturbed),
      goal: goal('below 2 %', disturbed < 0.02),
    },
    {
      name: 'deliveries shown twice',
      value: String(shownTwice),
      goal: { text: 'none', isMet: shownTwice === 0 },
    },
    {
      name: 'extensions of another payment that a knock delayed',
      value: String(heldUp),
      goal: { text: 'none', isMet: heldUp === 0 },
    },
  ];
}

export function formatFigures(figures: readonly Figure[]): string {
  return figures
    .map(({ name, value, goal }) => {
      const verdict = goal === undefined ? '' : `  ${goal.text}${goal.isMet ? '' : ': MISSED'}`;
      return `${name.padEnd(50)} ${value.padStart(9)}${verdict}`;
    })
    .join('\n');
}

export function areMet(figures: readonly Figure[]): boolean {
  return figures.every(({ goal }) => goal?.isMet !== false);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

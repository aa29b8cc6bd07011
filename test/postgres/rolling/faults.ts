// What must not go wrong in a rolling restart.

import type { Rolled } from './roll.ts';

/** One sentence for each fault; empty if all went well. */
export function faultsOf(rolled: Rolled): readonly string[] {
  const { asked, failures, exits } = rolled;
  const failed = Object.entries(failures).map(([why, times]) => `${why} (${times})`);
  const codes = exits.filter((code) => code !== 0);
  return [
    ...count(rolled.refused, 'calls got no 200', Object.keys(rolled.statuses)),
    ...count(rolled.unpushed, 'calls reached no phone'),
    ...count(rolled.repeated, 'pushes came once more'),
    ...count(rolled.unlogged, 'deliveries are missing in the log'),
    ...count(asked.requests - asked.answered, 'invoice requests got no invoice', asked.refused),
    ...count(failed.length, 'kinds of failure at the proxy', failed),
    ...count(codes.length, 'machines did not end with 0', codes.map(String)),
    ...(asked.forwarded === 0 ? ['no reply came to another machine: nothing was forwarded'] : []),
  ];
}

function count(number: number, what: string, which: readonly string[] = []): readonly string[] {
  if (number === 0) return [];
  return [`${number} ${what}${which.length === 0 ? '' : `: ${[...new Set(which)].join(', ')}`}`];
}

// Reports of events that are too frequent for a log line each: the first one at once, then the count of each period.

import type { Clock } from '../../core/ports/clock.ts';

/** Returns a function to call for each event; `report` gets how many there were since its last call. */
export function reportCounts(
  clock: Clock,
  periodMs: number,
  report: (count: number) => void,
): () => void {
  let unreported = 0;
  let isPausing = false;
  const reportAll = () => {
    isPausing = unreported > 0;
    if (!isPausing) return;
    report(unreported);
    unreported = 0;
    clock.after(periodMs, reportAll);
  };
  return () => {
    unreported += 1;
    if (!isPausing) reportAll();
  };
}

// Connections beyond the bound get no answer, so that the log has to tell of them: of the first one at once, then
// how many there were, as long as there are any.

import type { Clock } from '../core/ports/clock.ts';

const TELL_EVERY_MS = 10_000;

/** To be called for each; `tell` gets how many there were since it was called last. */
export function tellOfRefused(clock: Clock, tell: (count: number) => void): () => void {
  let untold = 0;
  let isPausing = false;
  const tellAll = () => {
    isPausing = untold > 0;
    if (!isPausing) return;
    tell(untold);
    untold = 0;
    clock.after(TELL_EVERY_MS, tellAll);
  };
  return () => {
    untold += 1;
    if (!isPausing) tellAll();
  };
}

// The work that comes round: pruning the log in small batches, forgetting old duplicate keys.

import type { Clock, Timer } from './core/clock.ts';
import type { Duplicates } from './core/duplicates.ts';
import type { Store } from './core/store.ts';

const PRUNE_EVERY_MS = 10 * 60_000;
const SWEEP_EVERY_MS = 60_000;
/** Small enough that an insert waits a millisecond, not a second. */
const PRUNE_BATCH = 500;
const PAUSE_MS = 50;

export interface Housekeeping {
  stop(): void;
}

export function startHousekeeping(parts: {
  readonly clock: Clock;
  readonly store: Store;
  readonly duplicates: Duplicates;
  readonly retentionMs: number;
}): Housekeeping {
  const { clock, store, duplicates, retentionMs } = parts;
  const timers = new Map<string, Timer>();
  let stopped = false;
  const every = (name: string, delayMs: number, task: () => void) => {
    if (!stopped) timers.set(name, clock.after(delayMs, task));
  };
  const sweep = () => {
    duplicates.sweep();
    every('sweep', SWEEP_EVERY_MS, sweep);
  };
  const prune = async () => {
    let pruned = 0;
    try {
      const beforeMs = clock.wallMs() - retentionMs;
      pruned = await store.prune({ beforeMs, nowMs: clock.nowMs(), limit: PRUNE_BATCH });
    } catch {
      // A sick store is reported by those who write; pruning comes round again.
    }
    every('prune', pruned > 0 ? PAUSE_MS : PRUNE_EVERY_MS, () => void prune());
  };
  every('sweep', SWEEP_EVERY_MS, sweep);
  every('prune', PRUNE_EVERY_MS, () => void prune());
  return {
    stop: () => {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
    },
  };
}

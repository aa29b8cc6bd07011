// Gives memory back after a flood. What V8 needed it keeps for the next one, and a service without anything to do
// never looks like one that could spare it: two minutes after a flood all of it was still held.

import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../core/ports/clock.ts';

/** The part of the time in which a quiet service is busy, at most. */
const QUIET_UTILIZATION = 0.1;
/** Resident memory that most services have no use for while they are quiet. */
const LARGE_BYTES = 300 * 1_024 * 1_024;
/** Where more is of use, a collection frees little: the next one waits for that much more than it left. */
const GROWTH = 1.2;
/** A collection stops the service for some 100 ms, longer where more is alive: it must not come often. */
const EVERY_MS = 10 * 60_000;

/** This process's memory. */
export interface Collector {
  /** Which part of the time since the last call the event loop was busy, 0 to 1. */
  takeUtilization(): number;
  residentBytes(): number;
  /** Collects everything and gives back what is left over. */
  collect(): void;
}

/** Decides whether now is the time; to be called every few seconds. */
export function createMemoryRelease(clock: Clock, collector: Collector): () => void {
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  let leftBytes: number | undefined = 0;
  return () => {
    const isQuiet = collector.takeUtilization() < QUIET_UTILIZATION;
    const residentBytes = collector.residentBytes();
    leftBytes ??= residentBytes;
    const isLarge = residentBytes >= Math.max(LARGE_BYTES, GROWTH * leftBytes);
    const nowMs = clock.nowMs();
    if (!isQuiet || !isLarge || nowMs < notBeforeMs) return;
    notBeforeMs = nowMs + EVERY_MS;
    collector.collect();
    // Known at the next look.
    leftBytes = undefined;
  };
}

export function createCollector(): Collector {
  let last = performance.eventLoopUtilization();
  return {
    takeUtilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    residentBytes: () => process.memoryUsage.rss(),
    collect,
  };
}

/** Not by `node --expose-gc`, with which Node does without the compiled code of its own modules: 80 ms at each start. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc: NonNullable<typeof globalThis.gc> = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // As before an end for want of memory: any other keeps the freed pages.
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}

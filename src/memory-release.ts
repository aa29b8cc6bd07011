// Gives memory back after a flood. What V8 needed it keeps for the next one, and a service without anything to do
// never looks like one that could spare it: two minutes after a flood all of it was still held.

import { performance } from 'node:perf_hooks';
import type { Clock } from './core/clock.ts';

/** The part of the time in which a quiet service is busy, at most. */
const QUIET_UTILIZATION = 0.1;
/** Resident memory that a service has no use for while it is quiet. */
const LARGE_BYTES = 300 * 1_024 * 1_024;
/** A collection stops the service for some 100 ms, so that it must not come often. */
const EVERY_MS = 10 * 60_000;

export interface Process {
  /** Which part of the time since the last call the event loop was busy, 0 to 1. */
  takeUtilization(): number;
  residentBytes(): number;
  /** Collects everything and gives back what is left over. */
  collect(): void;
}

/** Decides whether now is the time; to be called every few seconds. */
export function createMemoryRelease(clock: Clock, process: Process): () => void {
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  return () => {
    const isQuiet = process.takeUtilization() < QUIET_UTILIZATION;
    const nowMs = clock.nowMs();
    if (!isQuiet || nowMs < notBeforeMs || process.residentBytes() < LARGE_BYTES) return;
    notBeforeMs = nowMs + EVERY_MS;
    process.collect();
  };
}

/** None if the process was started without `--expose-gc`. */
export function findProcess(): Process | undefined {
  const { gc } = globalThis;
  if (gc === undefined) return undefined;
  let last = performance.eventLoopUtilization();
  return {
    takeUtilization() {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    residentBytes: () => process.memoryUsage.rss(),
    // As before an end for want of memory: any other keeps the freed pages.
    collect: () => void gc({ type: 'major', execution: 'async', flavor: 'last-resort' }),
  };
}

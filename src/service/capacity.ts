// How much the memory of the machine bears: callers at once, and what is remembered of those that were served.

import { totalmem } from 'node:os';

export interface Capacity {
  /** Connections of callers, at most. One that waits for its answer takes some 20 KB, and its garbage as much again. */
  readonly connections: number;
  /** Duplicate keys, tokens in quarantine and tokens with a rate, of each at most so many: 150 to 450 bytes. */
  readonly remembered: number;
  /** Tokens that are known to work, 100 bytes each; up to twice as many are kept. */
  readonly provenTokens: number;
}

const MB = 1_024 * 1_024;
// Fitted to floods on machines of 256 and 512 MB, each of which must live through one after another: a third of what is
// spare for the calls, the rest for their garbage, for what is remembered and for the holes in between.
const BASE_BYTES = 200 * MB;
const SPARE_BYTES_PER_CONNECTION = 48 * 1_024;
const SPARE_BYTES_PER_REMEMBERED = 6 * 1_024;

export function capacityOf(memoryBytes: number): Capacity {
  const spareBytes = memoryBytes - BASE_BYTES;
  const remembered = clamp(spareBytes / SPARE_BYTES_PER_REMEMBERED, 10_000, 200_000);
  return {
    connections: clamp(spareBytes / SPARE_BYTES_PER_CONNECTION, 500, 20_000),
    remembered,
    provenTokens: Math.min(2 * remembered, 200_000),
  };
}

/** What this process may use: the machine's memory, or less where a control group says so. */
export function memoryOfMachine(
  constrainedBytes: number = process.constrainedMemory(),
  totalBytes: number = totalmem(),
): number {
  // 0 where nothing is known, and more than there is where nothing is limited.
  return constrainedBytes === 0 ? totalBytes : Math.min(constrainedBytes, totalBytes);
}

function clamp(value: number, least: number, most: number): number {
  return Math.floor(Math.min(Math.max(value, least), most));
}

// How much the memory of the machine bears: callers at once, and what is remembered of those that were served.

import { totalmem } from 'node:os';

export interface Capacity {
  /** Connections of callers, at most. One that waits for its answer takes some 20 KB, and its garbage as much again. */
  readonly connections: number;
  /** Duplicate keys, tokens in quarantine and tokens with a rate, of each at most so many: 150 to 450 bytes. */
  readonly remembered: number;
  /** Tokens that are known to work: 100 bytes. */
  readonly provenTokens: number;
}

const MB = 1_024 * 1_024;
/** The service with nothing to do, its warm code and the system beside it. */
const BASE_BYTES = 200 * MB;
const CONNECTION_BYTES = 48 * 1_024;
/** All three kinds of what is remembered, and what of it V8 has yet to collect. */
const REMEMBERED_BYTES = 6 * 1_024;

export function capacityOf(memoryBytes: number): Capacity {
  const spareBytes = memoryBytes - BASE_BYTES;
  const remembered = clamp(spareBytes / REMEMBERED_BYTES, 10_000, 200_000);
  return {
    connections: clamp(spareBytes / CONNECTION_BYTES, 500, 20_000),
    remembered,
    provenTokens: Math.min(2 * remembered, 200_000),
  };
}

/** What this process may use: the machine's memory, or less where a control group says so. */
export function memoryOfMachine(): number {
  // 0 where nothing is known, and more than there is where nothing is limited.
  const constrained = process.constrainedMemory();
  return constrained === 0 ? totalmem() : Math.min(constrained, totalmem());
}

function clamp(value: number, least: number, most: number): number {
  return Math.floor(Math.min(Math.max(value, least), most));
}

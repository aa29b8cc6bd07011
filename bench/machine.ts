// What the figures depend on: processor, cores, memory, Node. No names.

import { cpus, loadavg, release, totalmem } from 'node:os';

const BYTES_PER_GIB = 2 ** 30;

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly kernel: string;
  /**
   * Processes that wanted a processor in the minute before: other work on this machine disturbs every measured time.
   */
  readonly loadBefore: number;
  readonly summary: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  const processor = all[0]?.model ?? 'unknown';
  const memoryGiB = Math.round(totalmem() / BYTES_PER_GIB);
  const kernel = release();
  const cores = all.length;
  const node = process.version;
  const [loadBefore = 0] = loadavg();
  const summary = `${cores} × ${processor}, ${memoryGiB} GiB, Linux ${kernel}, Node ${node}`;
  return { processor, cores, memoryGiB, node, kernel, loadBefore, summary };
}

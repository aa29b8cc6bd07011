// What the operating system says of a process: CPU time of all its threads and memory. Linux only, from /proc.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Node supports. */
const MICROSECONDS_PER_TICK = 10_000;
/** `proc_pid_stat(5)`: fields 14 and 15 count from 1; what follows the closing bracket starts with field 3. */
const UTIME_AFTER_NAME = 11;
const STIME_AFTER_NAME = 12;

/** User and system time of the process, ended threads included, µs. Its resolution is 10 ms. */
export function cpuUs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may contain blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[UTIME_AFTER_NAME]) + Number(fields[STIME_AFTER_NAME]);
  return ticks * MICROSECONDS_PER_TICK;
}

export interface ThreadTime {
  readonly name: string;
  readonly us: number;
}

/** CPU time of every living thread, µs, from `/proc/<pid>/task/<tid>/schedstat`; by thread id. */
export function threadTimes(pid: number): ReadonlyMap<string, ThreadTime> {
  const threads = new Map<string, ThreadTime>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    try {
      const name = readFileSync(`${folder}/comm`, 'utf8').trim();
      const [nanoseconds] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ');
      threads.set(thread, { name, us: Number(nanoseconds) / 1e3 });
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return threads;
}

/** CPU µs by thread name between two readings; threads of one name are added up. */
export function threadTimeBetween(
  before: ReadonlyMap<string, ThreadTime>,
  after: ReadonlyMap<string, ThreadTime>,
): Readonly<Record<string, number>> {
  const byName: Record<string, number> = {};
  for (const [thread, { name, us }] of after) {
    byName[name] = (byName[name] ?? 0) + us - (before.get(thread)?.us ?? 0);
  }
  return byName;
}

export interface Memory {
  /** Resident now. */
  readonly rssBytes: number;
  /** Most that was resident since the last `resetPeak`. */
  readonly peakBytes: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
  return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** `proc_pid_clear_refs(5)`: 5 sets the peak back to what is resident now. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

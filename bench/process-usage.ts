// What the operating system reports about a process: CPU time of all its threads, and memory. Linux only, from /proc.

import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';

/** `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Node supports. */
const MICROSECONDS_PER_TICK = 10_000;
/** `proc_pid_stat(5)`: fields 14 and 15 count from 1; what follows the closing bracket starts with field 3. */
const UTIME_AFTER_NAME = 11;
const STIME_AFTER_NAME = 12;
/** Fields 16 and 17: those of children that have ended and were waited for. */
const CUTIME_AFTER_NAME = 13;

/** User and system time of the process, ended threads included, µs. Its resolution is 10 ms. */
export function cpuUs(pid: number): number {
  const fields = statOf(pid);
  return ticksOf(fields[UTIME_AFTER_NAME], fields[STIME_AFTER_NAME]);
}

/** The same for the process and its children, both running and ended, µs. */
export function treeCpuUs(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const running = children === '' ? [] : children.split(' ').map(Number);
  const ended = statOf(pid).slice(CUTIME_AFTER_NAME, CUTIME_AFTER_NAME + 2);
  return running.reduce((sum, child) => sum + cpuUs(child), cpuUs(pid) + ticksOf(...ended));
}

/** The fields behind the name. */
function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may contain blanks and brackets.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function ticksOf(...fields: readonly (string | undefined)[]): number {
  return fields.reduce((sum, field) => sum + Number(field), 0) * MICROSECONDS_PER_TICK;
}

/**
 * The process that listens on this TCP port, from `/proc/net/tcp` and the sockets that each process has open. Throws if
 * there is none that this user may inspect.
 */
export function processListeningOn(port: number): number {
  const sockets = new Set(['tcp', 'tcp6'].flatMap((table) => listeningSockets(table, port)));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (openFiles(pid).some((file) => sockets.has(file))) return Number(pid);
  }
  throw new Error(`no process listens on port ${port}`);
}

/** `proc_net(5)`: local address and port in hexadecimal, the state (0A listens), and the inode as tenth field. */
function listeningSockets(table: string, port: number): readonly string[] {
  const localPort = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(`/proc/net/${table}`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', , state]) => local.endsWith(localPort) && state === '0A')
    .map((fields) => `socket:[${fields[9]}]`);
}

function openFiles(pid: string): readonly string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).map((descriptor) => readlinkSync(`${folder}/${descriptor}`));
  } catch {
    // The process has ended meanwhile, or belongs to another user.
    return [];
  }
}

export interface Memory {
  /** Resident memory now. */
  readonly rssBytes: number;
  /** The largest resident memory since the last `resetPeak`. */
  readonly peakBytes: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
  return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** `proc_pid_clear_refs(5)`: 5 resets the peak to the present resident memory. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

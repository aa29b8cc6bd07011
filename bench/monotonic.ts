// One clock for every process of a run: CLOCK_MONOTONIC, which on one machine is the same for all of them.

/** Microseconds since an arbitrary moment, the same one in all processes of this machine. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

// One clock for every process of a run: CLOCK_MONOTONIC, which is the same for all processes of a machine.

/** Microseconds since an arbitrary moment, which is the same in all processes of this machine. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

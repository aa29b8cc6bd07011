// The clocks of the machines differ by five seconds each, if libfaketime is installed.

import { globSync } from 'node:fs';

const APART_SECONDS = 5;
const PLACES = ['/usr/lib/*/faketime/libfaketimeMT.so.1', '/usr/lib/faketime/libfaketimeMT.so.1'];

export interface Clocks {
  /** What the report says about the clocks. */
  readonly description: string;
  environmentOf(machine: number): Readonly<Record<string, string>>;
}

/** `LIBFAKETIME` names the library if it is not where Debian puts it. */
export function findClocks(machines: number): Clocks {
  const library = process.env.LIBFAKETIME ?? globSync(PLACES)[0];
  if (library === undefined) {
    const description =
      'the same on all machines, because libfaketime is not installed (the Debian package libfaketime, or LIBFAKETIME=FILE)';
    return { description, environmentOf: () => ({}) };
  }
  const offsetOf = (machine: number) => APART_SECONDS * (machine - Math.ceil(machines / 2));
  const offsets = Array.from({ length: machines }, (_, index) => show(offsetOf(index + 1)));
  return {
    description: `${offsets.join(', ')} s`,
    environmentOf: (machine) => ({
      LD_PRELOAD: library,
      FAKETIME: show(offsetOf(machine)),
      // As on a machine whose clock is wrong: only the wall clock is, not the monotonic one.
      DONT_FAKE_MONOTONIC: '1',
    }),
  };
}

function show(seconds: number): string {
  return seconds < 0 ? String(seconds) : `+${seconds}`;
}

// Where the lines of the log go: pino's own buffered writer. A log that cannot be written must neither end nor delay
// the service: without a reader, or with a full disk, lines are dropped.

import pino from 'pino';
import type { Clock, Timer } from '../core/ports/clock.ts';

/** Lines gather up to this size, or for this long after the first of them, before they are written. */
const MIN_BYTES = 4_096;
const GATHER_MS = 200;
/** What may wait for a slow reader; further lines are dropped. */
const MAX_BYTES = 4 * 1_024 * 1_024;
/** How long the end of the process waits for a reader. */
const CLOSE_MS = 1_000;
/** How often the last lines are tried again at an unexpected exit: pino waits 100 ms in between. */
const TRIES_AT_EXIT = 3;

export interface Output {
  readonly stream: { write(line: string): void };
  /** Resolves when everything is written, or cannot be. */
  close(): Promise<void>;
}

export function openOutput(fileDescriptor: number, clock: Clock): Output {
  let isFailing = false;
  let isGivenUp = false;
  let isExiting = false;
  let tries = 0;
  // Before pino's own listener, which writes the last lines.
  process.once('exit', () => {
    isExiting = true;
  });
  const destination = pino.destination({
    dest: fileDescriptor,
    sync: false,
    minLength: MIN_BYTES,
    maxLength: MAX_BYTES,
    retryEAGAIN: () => !isGivenUp && (!isExiting || tries++ < TRIES_AT_EXIT),
  });
  destination.on('error', () => {
    isFailing = true;
  });
  destination.on('write', () => {
    isFailing = false;
  });
  const flushSync = destination.flushSync.bind(destination);
  // Into a full disk or closed pipe it would write for ever (sonic-boom 4.2.1 tries again after any error).
  destination.flushSync = () => {
    if (isFailing) return;
    try {
      flushSync();
    } catch {
      // There is no reader, and no time left to wait for one.
    }
  };
  let gathering: Timer | undefined;
  return {
    stream: {
      write(line) {
        destination.write(line);
        // Not by pino's own timer, which wakes an idle process ten times a second.
        gathering ??= clock.after(GATHER_MS, () => {
          gathering = undefined;
          destination.flush();
        });
      },
    },
    close: async () => {
      gathering?.cancel();
      if (isFailing) return;
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const timer = clock.after(CLOSE_MS, () => {
        isFailing = true;
        isGivenUp = true;
        resolve();
      });
      destination.once('close', resolve).once('error', resolve);
      destination.end();
      await closed;
      timer.cancel();
    },
  };
}

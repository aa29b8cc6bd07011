// The log on standard output: one JSON line for every settled delivery and for everything that needs attention, or a
// short line in a terminal. It gets only events and reasons of our own tables, never a request, so there is nothing to
// redact.
//
// A log that cannot be written must neither end nor delay the service: without a reader, or with a full disk, lines are
// dropped.

import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import type { Clock, Timer } from '../core/ports/clock.ts';
import type { Observer, ServiceEvent } from '../core/ports/observer.ts';
import type { Level } from './log-fields.ts';
import { fieldsOf, levelOf } from './log-lines.ts';
import type { SpokenFields, SpokenLevel, SpokenName } from './log-spoken.ts';
import { terminalLine } from './terminal-line.ts';

export interface Log {
  readonly observer: Observer;
  say<Name extends SpokenName>(
    level: SpokenLevel<Name>,
    event: Name,
    fields?: SpokenFields<Name>,
  ): void;
  /** Writes what is still in memory, if there is a reader. Nothing can be logged afterwards. */
  close(): Promise<void>;
}

/** Lines gather up to this size, or for this long after the first of them, before they are written. */
const MIN_BYTES = 4_096;
const GATHER_MS = 200;
/** How much may wait for a slow reader; further lines are dropped. */
const MAX_BYTES = 4 * 1_024 * 1_024;
/** How long the end of the process waits for a reader. */
const CLOSE_MS = 1_000;
/** How often the last lines are tried again at an unexpected exit: pino waits 100 ms in between. */
const TRIES_AT_EXIT = 3;

const STANDARD_OUTPUT = 1;

export function createLog(level: Level | 'silent', clock: Clock): Log {
  const output = openOutput(STANDARD_OUTPUT, clock);
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    isatty(STANDARD_OUTPUT)
      ? { write: (line: string) => output.stream.write(terminalLine(line)) }
      : output.stream,
  );
  return {
    observer: { observe: (event) => logEvent(logger, event) },
    say: (level, event, fields = {}) => write(logger, { level, event, fields }),
    close: async () => {
      logger.level = 'silent';
      await output.close();
    },
  };
}

function write(
  logger: Logger,
  line: { readonly level: Level; readonly event: string; readonly fields: object },
): void {
  logger[line.level](line.fields, line.event);
}

function logEvent(logger: Logger, event: ServiceEvent): void {
  const level = levelOf(event);
  // Most events are for debugging and must cost nothing while that level is off.
  if (!logger.isLevelEnabled(level)) return;
  write(logger, { level, event: event.name, fields: fieldsOf(event) });
}

interface Output {
  readonly stream: { write(line: string): void };
  /** Resolves when everything is written, or cannot be. */
  close(): Promise<void>;
}

function openOutput(fileDescriptor: number, clock: Clock): Output {
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
  // With a full disk or closed pipe it would never stop (sonic-boom 4.2.1 tries again after any error).
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

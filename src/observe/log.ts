// The log on standard output: one JSON line for every settled delivery and for whatever needs a look, or a short line
// in a terminal. It gets events and reasons of our own tables, never a request, so there is nothing to redact.

import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import type { Clock } from '../core/ports/clock.ts';
import type { Observer, ServiceEvent } from '../core/ports/observer.ts';
import type { Level } from './log-fields.ts';
import { fieldsOf, levelOf } from './log-lines.ts';
import type { SpokenFields, SpokenLevel, SpokenName } from './log-spoken.ts';
import { openOutput } from './output.ts';
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
  // Most events are for debugging: they must cost nothing while that level is off.
  if (!logger.isLevelEnabled(level)) return;
  write(logger, { level, event: event.name, fields: fieldsOf(event) });
}

// The log on standard output: one JSON line for every settled delivery and for whatever needs a look, or a short line
// in a terminal. It gets events and reasons of our own tables, never a request, so there is nothing to redact.

import { isatty } from 'node:tty';
import pino, { type Logger } from 'pino';
import type { Clock } from '../core/ports/clock.ts';
import type { Observer, ServiceEvent } from '../core/ports/observer.ts';
import { openOutput } from './output.ts';
import { stackOf } from './stack.ts';
import { terminalLine } from './terminal-line.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  readonly observer: Observer;
  say(level: Exclude<Level, 'silent'>, message: string, fields?: Record<string, unknown>): void;
  /** Writes what is still in memory, if there is a reader. Nothing can be logged afterwards. */
  close(): Promise<void>;
}

const STANDARD_OUTPUT = 1;

export function createLog(level: Level, clock: Clock): Log {
  const output = openOutput(STANDARD_OUTPUT, clock);
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    isatty(STANDARD_OUTPUT)
      ? { write: (line: string) => output.stream.write(terminalLine(line)) }
      : output.stream,
  );
  return {
    observer: { observe: (event) => logEvent(logger, event) },
    say: (at, message, fields = {}) => logger[at](fields, message),
    close: async () => {
      logger.level = 'silent';
      await output.close();
    },
  };
}

function logEvent(logger: Logger, event: ServiceEvent): void {
  const level = levelOf(event);
  // Most events are for debugging: they must cost nothing while that level is off.
  if (!logger.isLevelEnabled(level)) return;
  const { name, ...fields } = event;
  logger[level]('cause' in fields ? { ...fields, cause: stackOf(fields.cause) } : fields, name);
}

function levelOf(event: ServiceEvent): Exclude<Level, 'silent'> {
  switch (event.name) {
    case 'delivery_accepted':
    case 'attempt_ended':
    case 'late_answer':
    case 'request_answered':
    case 'store_batch_ended':
      return 'debug';
    case 'delivery_settled':
      return event.status === 'misconfigured' ? 'error' : 'info';
    case 'duplicate_answered':
    case 'unknown_type_ignored':
    case 'token_quarantined':
    case 'token_held':
    case 'reply_waited':
    case 'condemning_resumed':
    case 'store_recovered':
    case 'devices_pruned':
      return 'info';
    case 'signature_refused':
      return event.repeated ? 'error' : 'info';
    case 'breaker_changed':
      return event.state === 'open' ? 'error' : 'info';
    case 'refusals_dropped':
    case 'lease_lost':
    case 'delivery_overdue':
      return 'warn';
    case 'internal_fault':
    case 'condemning_stopped':
    case 'store_failed':
      return 'error';
  }
}

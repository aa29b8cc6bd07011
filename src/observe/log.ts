// The log on standard output: one JSON line for every settled delivery and for whatever needs a look. It
// gets events and reasons of our own tables, never a request, so there is nothing to redact.

import pino, { type Logger } from 'pino';
import type { Observer, ServiceEvent } from '../core/observer.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  readonly observer: Observer;
  say(level: Exclude<Level, 'silent'>, message: string, fields?: Record<string, unknown>): void;
  /** Writes what is still in memory. */
  flush(): void;
}

const BUFFERED_BYTES = 8_192;
/** How late a line may come out. */
const FLUSH_MS = 100;

/** Lines are written beside the work, many at once when many come; `flush` before the process ends. */
export function createLog(level: Level): Log {
  const destination = pino.destination({
    dest: 1,
    sync: false,
    minLength: BUFFERED_BYTES,
    periodicFlush: FLUSH_MS,
  });
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    observer: { observe: (event) => logEvent(logger, event) },
    say: (at, message, fields = {}) => logger[at](fields, message),
    flush: () => {
      // Nothing is open yet when start-up is refused at once.
      try {
        destination.flushSync();
      } catch {}
    },
  };
}

function logEvent(logger: Logger, event: ServiceEvent): void {
  const level = levelOf(event);
  // Most events are for debugging: they must cost nothing while nobody looks.
  if (!logger.isLevelEnabled(level)) return;
  const { name, ...fields } = event;
  logger[level](fields, name);
}

function levelOf(event: ServiceEvent): Exclude<Level, 'silent'> {
  switch (event.name) {
    case 'delivery_accepted':
    case 'attempt_ended':
      return 'debug';
    case 'delivery_settled':
      return event.status === 'misconfigured' ? 'error' : 'info';
    case 'duplicate_answered':
    case 'token_quarantined':
    case 'reply_waited':
    case 'condemning_resumed':
    case 'store_recovered':
      return 'info';
    case 'devices_pruned':
      return 'info';
    case 'signature_refused':
      return event.repeated ? 'error' : 'info';
    case 'breaker_changed':
      return event.state === 'open' ? 'error' : 'info';
    case 'lease_lost':
      return 'warn';
    case 'condemning_stopped':
    case 'store_failed':
      return 'error';
  }
}

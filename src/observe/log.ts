// The log on standard output: one JSON line for every settled delivery and for whatever needs a look. It
// gets events and reasons of our own tables, never a request, so there is nothing to redact.

import pino, { type Logger } from 'pino';
import type { Clock, Timer } from '../core/clock.ts';
import type { Observer, ServiceEvent } from '../core/observer.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  readonly observer: Observer;
  say(level: Exclude<Level, 'silent'>, message: string, fields?: Record<string, unknown>): void;
  /** Writes what is still in memory. */
  flush(): void;
}

const GATHERED_CHARACTERS = 8_192;
/** How late a line may come out. */
const GATHER_MS = 100;

/** Lines are written beside the work, many at once when many come; `flush` before the process ends. */
export function createLog(level: Level, clock: Clock): Log {
  const destination = pino.destination({ dest: 1, sync: false });
  const lines = new GatheredLines(clock, (text) => destination.write(text));
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  const flush = () => {
    lines.flush();
    // Nothing is open yet when start-up is refused at once.
    try {
      destination.flushSync();
    } catch {}
  };
  // Whatever ends the process: the last lines say why.
  process.once('exit', flush);
  return {
    observer: { observe: (event) => logEvent(logger, event) },
    say: (at, message, fields = {}) => logger[at](fields, message),
    flush,
  };
}

/**
 * What pino's destination gathers by itself it measures anew with every line, which takes longer than making the
 * line.
 */
class GatheredLines {
  readonly #clock: Clock;
  readonly #write: (text: string) => void;
  #lines: string[] = [];
  #characters = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, write: (text: string) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  write(line: string): void {
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= GATHERED_CHARACTERS) this.flush();
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    const text = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    this.#write(text);
  }
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

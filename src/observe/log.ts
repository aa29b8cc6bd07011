// The log on standard output: one JSON line for every settled delivery and for whatever needs a look. It
// gets events and reasons of our own tables, never a request, so there is nothing to redact.

import { write, writeSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import type { Clock, Timer } from '../core/ports/clock.ts';
import type { Observer, ServiceEvent } from '../core/ports/observer.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  readonly observer: Observer;
  say(level: Exclude<Level, 'silent'>, message: string, fields?: Record<string, unknown>): void;
  /** Writes what is still in memory. */
  flush(): void;
}

const STANDARD_OUTPUT = 1;
const NONE = new Uint8Array();
const GATHERED_CHARACTERS = 8_192;
/** How late a line may come out. */
const GATHER_MS = 100;
/** How long the end of the process waits for a write under way, which takes a moment unless nobody reads. */
const LAST_WRITE_MS = 250;
/** How often it looks whether a full pipe, of the kind that does not block, has room again. */
const FULL_PIPE_MS = 10;

/** Lines are written beside the work, many at once when many come; `flush` before the process ends. */
export function createLog(level: Level, clock: Clock): Log {
  const lines = new GatheredLines(clock);
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  const flush = () => lines.flushNow();
  // Whatever ends the process: the last lines say why.
  process.once('exit', flush);
  return {
    observer: { observe: (event) => logEvent(logger, event) },
    say: (at, message, fields = {}) => logger[at](fields, message),
    flush,
  };
}

/**
 * Standard output, written beside the work; what pino has for that measures every line anew, which takes longer than
 * making it, and never ends where the disk is full. One write at a time: at the end of the process there must be none
 * beside the last one, or their lines come out in each other's middle. A log that cannot be written is no reason to
 * send no pushes: its lines are given up.
 */
class GatheredLines {
  readonly #clock: Clock;
  /** What a full pipe, of the kind that does not block, had no room for. */
  #unwritten: Uint8Array = NONE;
  #lines: string[] = [];
  #characters = 0;
  #timer: Timer | undefined;
  #isWriting = false;
  /** Nobody reads any more. */
  #isAbandoned = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  write(line: string): void {
    if (this.#isAbandoned) return;
    this.#lines.push(line);
    this.#characters += line.length;
    this.#plan();
  }

  /** Does not return before all is written. */
  flushNow(): void {
    if (this.#isWriting) sleep(LAST_WRITE_MS);
    writeAll(this.#take());
  }

  #plan(): void {
    if (this.#isWriting) return;
    const hasRoom = this.#unwritten.length === 0;
    if (hasRoom && this.#characters >= GATHERED_CHARACTERS) this.#write(this.#take());
    else this.#timer ??= this.#clock.after(GATHER_MS, () => this.#write(this.#take()));
  }

  #write(bytes: Uint8Array): void {
    this.#isWriting = true;
    write(STANDARD_OUTPUT, bytes, (error, written) => {
      if (error === null && written < bytes.length) return this.#write(bytes.subarray(written));
      this.#isWriting = false;
      if (error?.code === 'EAGAIN') this.#unwritten = bytes;
      this.#isAbandoned ||= error?.code === 'EPIPE';
      if (this.#isAbandoned) this.#take();
      else if (this.#lines.length > 0 || this.#unwritten.length > 0) this.#plan();
    });
  }

  #take(): Uint8Array {
    this.#timer?.cancel();
    this.#timer = undefined;
    const bytes = Buffer.concat([this.#unwritten, Buffer.from(this.#lines.join(''))]);
    this.#unwritten = NONE;
    this.#lines = [];
    this.#characters = 0;
    return bytes;
  }
}

/** Gives up what cannot be written, or what a full pipe takes nothing of for too long. */
function writeAll(bytes: Uint8Array): void {
  let rest = bytes;
  let waitedMs = 0;
  while (rest.length > 0 && waitedMs < LAST_WRITE_MS) {
    try {
      rest = rest.subarray(writeSync(STANDARD_OUTPUT, rest));
      waitedMs = 0;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
      sleep(FULL_PIPE_MS);
      waitedMs += FULL_PIPE_MS;
    }
  }
}

/** Stops everything, but for writes that are under way. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
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

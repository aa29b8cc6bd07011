// Three ways to call: a given number of callers, each waiting for its answer (closed loop); at a fixed rate, however
// late the answers are (open loop); all at once (burst). Bounded in number, connections and time.

import { Worker } from 'node:worker_threads';
import { nowUs } from '../monotonic.ts';
import { type CallOptions, requestOf } from './calls.ts';
import { type Answer, CallerConnection } from './connection.ts';
import { codeOf, createRecord, type LoadRecord, outcomeOf } from './record.ts';

/**
 * Connections of an open loop. Beyond this number calls wait, which shows in their latency, since that counts from the
 * schedule.
 */
const MAX_CONNECTIONS = 4_000;
/** How long to wait for the last answers. */
const LAST_ANSWER_MS = 15_000;

export interface LoadOptions extends CallOptions {
  readonly host: string;
  readonly port: number;
  readonly firstNumber: number;
  readonly count: number;
  /** No call starts later than this. */
  readonly maxMs: number;
}

export class Callers {
  readonly #options: LoadOptions;
  readonly #record: LoadRecord;
  readonly #idle: CallerConnection[] = [];
  readonly #late: number[] = [];
  #connections = 0;
  #started = 0;
  #ended = 0;
  #stopped = false;
  #onAllEnded = () => {};

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#record = createRecord(options.firstNumber, options.count);
  }

  /** Each of `callers` starts its next call when the previous one was answered. */
  async closedLoop(callers: number): Promise<LoadRecord> {
    const next = (connection: CallerConnection) => {
      const index = this.#take();
      if (index === undefined) return connection.close();
      this.#call(index, connection, (usable) => next(usable ? connection : this.#open()));
    };
    for (let caller = 0; caller < callers; caller += 1) next(this.#open());
    return await this.#finish(this.#options.maxMs);
  }

  /** Starts calls at a fixed rate. Their latency counts from when they were due. */
  async openLoop(ratePerSecond: number): Promise<LoadRecord> {
    const { count } = this.#options;
    const startUs = nowUs() + 100_000;
    const pacer = new Worker(new URL('./pacer.ts', import.meta.url), {
      workerData: { startUs, count, ratePerSecond },
    });
    pacer.on('message', (due: number) => {
      while (this.#started < due) {
        const index = this.#take();
        if (index === undefined) return;
        this.#record.dueUs[index] = startUs + (index * 1e6) / ratePerSecond;
        this.#callOnAny(index);
      }
    });
    const record = await this.#finish((count / ratePerSecond) * 1_000 + this.#options.maxMs);
    await pacer.terminate();
    return record;
  }

  /** Starts all calls at once, each on a new connection of its own. */
  async burst(): Promise<LoadRecord> {
    for (let index = this.#take(); index !== undefined; index = this.#take()) {
      const connection = this.#open();
      this.#call(index, connection, () => connection.close());
    }
    return await this.#finish(this.#options.maxMs);
  }

  #take(): number | undefined {
    if (this.#stopped || this.#started === this.#options.count) return undefined;
    this.#started += 1;
    return this.#started - 1;
  }

  #open(): CallerConnection {
    this.#connections += 1;
    return new CallerConnection(this.#options.port, this.#options.host);
  }

  #callOnAny(index: number): void {
    const connection = this.#idle.pop();
    if (connection?.usable) this.#callAndKeep(index, connection);
    else if (this.#connections < MAX_CONNECTIONS) this.#callAndKeep(index, this.#open());
    else this.#late.push(index);
  }

  #callAndKeep(index: number, connection: CallerConnection): void {
    this.#call(index, connection, (usable) => {
      if (!usable) this.#connections -= 1;
      const late = this.#late.shift();
      if (late !== undefined) this.#callAndKeep(late, usable ? connection : this.#open());
      else if (usable) this.#idle.push(connection);
    });
  }

  #call(index: number, connection: CallerConnection, then: (usable: boolean) => void): void {
    const record = this.#record;
    const request = requestOf(this.#options.firstNumber + index, this.#options);
    const writtenUs = nowUs();
    record.writtenUs[index] = writtenUs;
    if (Number.isNaN(record.dueUs[index])) record.dueUs[index] = writtenUs;
    connection.send(request, (answer) => {
      this.#note(index, answer);
      then(connection.usable);
      this.#endIfDone();
    });
  }

  #note(index: number, answer: Answer): void {
    const { answeredUs, outcomes, statuses } = this.#record;
    answeredUs[index] = nowUs();
    outcomes[index] = codeOf(outcomeOf(answer.status));
    const status = [answer.status, answer.deliveryStatus].filter(Boolean).join(' ');
    statuses[status] = (statuses[status] ?? 0) + 1;
    this.#ended += 1;
  }

  #endIfDone(): void {
    const all = this.#stopped ? this.#started : this.#options.count;
    if (this.#ended === all) this.#onAllEnded();
  }

  async #finish(maxMs: number): Promise<LoadRecord> {
    const ended = new Promise<void>((resolve) => {
      this.#onAllEnded = resolve;
    });
    const over = setTimeout(() => {
      this.#stopped = true;
      this.#endIfDone();
    }, maxMs);
    const giveUp = setTimeout(() => this.#onAllEnded(), maxMs + LAST_ANSWER_MS);
    await ended;
    this.#stopped = true;
    clearTimeout(over);
    clearTimeout(giveUp);
    for (const connection of this.#idle) connection.close();
    return this.#record;
  }
}

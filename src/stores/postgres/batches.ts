// Operations of one kind that share a transaction. The first goes at the end of the turn of the event loop; those that come
// while a batch is under way make the next one, which leaves when that has ended, or after 20 ms. If PostgreSQL refuses
// a batch because of one operation, each of its operations is written separately.

import type { Clock, Timer } from '../../core/ports/clock.ts';
import { StoreUnavailableError } from '../../core/ports/store.ts';
import { isConflict, reasonOf } from './errors.ts';

const MAX_WAIT_MS = 20;
/** Bounds how long one statement locks rows and how much is lost with it if it fails. */
const MAX_BATCH = 500;
/** Batches under way at once: the other connections are for operations that are not batched. */
const MAX_UNDER_WAY = 4;

export interface BatchesOptions<Input, Output> {
  readonly clock: Clock;
  /** Operations under way and waiting; beyond, they are refused as `busy`. */
  readonly maxPending: number;
  /** A batch has at most one operation of each key; the earlier one goes first. */
  readonly keyOf: (input: Input) => string;
  /**
   * Writes all or none. Returns one result for each, in their order. May be called again for operations that are
   * written already: it then changes nothing and returns the same.
   */
  readonly write: (inputs: readonly Input[]) => Promise<readonly Output[]>;
  readonly onBatch?: ((operations: number) => void) | undefined;
  readonly onBatchEnded?: ((batch: EndedBatch) => void) | undefined;
}

export interface EndedBatch {
  readonly operations: number;
  readonly durationMs: number;
}

interface Pending<Input, Output> {
  readonly input: Input;
  readonly key: string;
  readonly resolve: (output: Output) => void;
  readonly reject: (error: unknown) => void;
}

export class Batches<Input, Output> {
  readonly #options: BatchesOptions<Input, Output>;
  #waiting: Pending<Input, Output>[] = [];
  /** Keys of what is being written. */
  readonly #writing = new Set<string>();
  /** The end of the last operation of each key. */
  readonly #last = new Map<string, Promise<void>>();
  #underWay = 0;
  #pending = 0;
  #isPlanned = false;
  #timer: Timer | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: BatchesOptions<Input, Output>) {
    this.#options = options;
  }

  /** Rejects as the database refused this operation, or with `StoreUnavailableError`. */
  add(input: Input): Promise<Output> {
    const { maxPending, keyOf } = this.#options;
    if (this.#closing !== undefined) return Promise.reject(new StoreUnavailableError('closed'));
    if (this.#pending >= maxPending) return Promise.reject(new StoreUnavailableError('busy'));
    const { promise, resolve, reject } = Promise.withResolvers<Output>();
    this.#pending += 1;
    const key = keyOf(input);
    this.#waiting.push({ input, key, resolve, reject });
    const ended: Promise<void> = promise.then(
      () => this.#forget(key, ended),
      () => this.#forget(key, ended),
    );
    this.#last.set(key, ended);
    this.#plan();
    return promise;
  }

  #forget(key: string, ended: Promise<void>): void {
    if (this.#last.get(key) === ended) this.#last.delete(key);
  }

  /** Resolves when no operation with this key waits or is under way, whatever its result was. */
  async written(key: string): Promise<void> {
    await this.#last.get(key);
  }

  /** Refuses new operations. Resolves when all earlier ones are written or refused. */
  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    if (this.#pending === 0) this.#closing.resolve();
    return this.#closing.promise;
  }

  #plan(): void {
    if (this.#waiting.length === 0) return;
    if (this.#underWay > 0) {
      this.#timer ??= this.#options.clock.after(MAX_WAIT_MS, () => this.#leave());
      return;
    }
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#leave();
    });
  }

  #leave(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#underWay >= MAX_UNDER_WAY) return;
    const batch = this.#take();
    if (batch.length === 0) return;
    this.#underWay += 1;
    for (const { key } of batch) this.#writing.add(key);
    void this.#write(batch).finally(() => {
      this.#underWay -= 1;
      this.#pending -= batch.length;
      for (const { key } of batch) this.#writing.delete(key);
      if (this.#pending === 0) this.#closing?.resolve();
      this.#leave();
      this.#plan();
    });
    this.#plan();
  }

  #take(): readonly Pending<Input, Output>[] {
    const taken = new Map<string, Pending<Input, Output>>();
    const left: Pending<Input, Output>[] = [];
    for (const one of this.#waiting) {
      const isFree = taken.size < MAX_BATCH && !taken.has(one.key) && !this.#writing.has(one.key);
      if (isFree) taken.set(one.key, one);
      else left.push(one);
    }
    this.#waiting = left;
    return [...taken.values()];
  }

  /** Never rejects. */
  async #write(batch: readonly Pending<Input, Output>[]): Promise<void> {
    const { clock, write, onBatch, onBatchEnded } = this.#options;
    const operations = batch.length;
    const sentAtMs = clock.nowMs();
    onBatch?.(operations);
    try {
      const inputs = batch.map(({ input }) => input);
      const outputs = await write(inputs).catch((error) => this.#writeAgain(inputs, error));
      for (const [index, output] of outputs.entries()) batch[index]?.resolve(output);
    } catch (error) {
      if (operations === 1 || !isOfOne(error)) for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.#write([one]);
      return;
    }
    onBatchEnded?.({ operations, durationMs: clock.nowMs() - sentAtMs });
  }

  /** A connection was lost, perhaps after the commit: what is written already is not written twice. */
  #writeAgain(inputs: readonly Input[], error: unknown): Promise<readonly Output[]> {
    if (reasonOf(error) !== 'unreachable') throw error;
    return this.#options.write(inputs);
  }
}

/** One operation, or its locks, may be at fault; the others can be written without it. */
function isOfOne(error: unknown): boolean {
  return reasonOf(error) === undefined || isConflict(error);
}

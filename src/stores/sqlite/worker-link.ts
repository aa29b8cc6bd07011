// The main thread's end of one worker. The first operation goes at the end of the turn of the event loop; those that
// come in while a batch is under way make the next one, so that nothing is delayed and one fsync serves many.
// The thread starts with the first operation. If it dies, its operations are refused, and the next operation starts
// another thread.

import type { Worker } from 'node:worker_threads';
import { StoreUnavailableError } from '../../core/ports/store.ts';
import { errorOf, failureOf, type Reason, reasonOf } from './errors.ts';
import type {
  FromWorker,
  Opened,
  Operation,
  OutputOf,
  Reply,
  Result,
  ToWorker,
} from './protocol.ts';

/** Operations that wait for a batch to go with; more are dropped. */
const MAX_RIDING = 10_000;
/** Bounds how long one transaction holds the lock and how much is lost with it if it fails. */
const MAX_BATCH = 1_000;

export interface WorkerLinkOptions<Calls> {
  /** Starts the thread. */
  readonly spawn: () => Worker;
  /** Operations in flight and waiting; beyond, they are refused as `busy`. */
  readonly maxPendingOperations: number;
  readonly onBatch?: ((operations: number) => void) | undefined;
  /** The thread has answered a batch. */
  readonly onBatchEnded?: (operations: readonly Operation<Calls>[]) => void;
  readonly onCrash?: (error: Error) => void;
  /** An operation was refused because the database, or the thread, could not take it. */
  readonly onTrouble?: (reason: Reason) => void;
}

interface Pending<Calls> {
  readonly operation: Operation<Calls>;
  succeed(result: Result<Calls>): void;
  fail(error: Error): void;
}

type State = 'stopped' | 'opening' | 'idle' | 'busy' | 'stopping';

export class WorkerLink<Calls> {
  readonly #options: WorkerLinkOptions<Calls>;
  #state: State = 'stopped';
  #worker: Worker | undefined;
  #waiting: Pending<Calls>[] = [];
  #riding: Operation<Calls>[] = [];
  #inFlight: readonly Pending<Calls>[] = [];
  #flushPlanned = false;
  #opening: PromiseWithResolvers<Opened> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;
  #mayStop = false;

  constructor(options: WorkerLinkOptions<Calls>) {
    this.#options = options;
  }

  /** Starts the worker now rather than with the first operation. Rejects if the database is refused. */
  open(): Promise<Opened> {
    const opening = Promise.withResolvers<Opened>();
    this.#opening = opening;
    this.#start();
    return opening.promise;
  }

  /** Rejects with `StoreUnavailableError`, or with a plain error if the operation itself is at fault. */
  call<Kind extends Operation<Calls>['kind']>(
    operation: Extract<Operation<Calls>, { readonly kind: Kind }>,
  ): Promise<OutputOf<Calls, Kind>> {
    if (this.#closing) return Promise.reject(new StoreUnavailableError('closed'));
    if (this.#waiting.length + this.#inFlight.length >= this.#options.maxPendingOperations) {
      this.#options.onTrouble?.('busy');
      return Promise.reject(new StoreUnavailableError('busy'));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        operation,
        succeed: (result) => {
          if (isOfKind<Calls, Kind>(result, operation.kind)) resolve(result.output);
          else reject(new Error(`"${String(operation.kind)}" was answered as another operation`));
        },
        fail: (error) => {
          if (error instanceof StoreUnavailableError) this.#options.onTrouble?.(error.reason);
          reject(error);
        },
      });
      this.#planFlush();
    });
  }

  /**
   * Is written with the next batch, after its other operations, and makes none of its own. Its result is not reported.
   */
  ride(operation: Operation<Calls>): void {
    if (this.#riding.length < MAX_RIDING) this.#riding.push(operation);
  }

  /** Refuses new calls, finishes pending ones, and ends the thread once `after` has resolved. May be called again. */
  close(after: Promise<void> = Promise.resolve()): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      void after.then(() => {
        this.#mayStop = true;
        this.#flush();
      });
    }
    return this.#closing.promise;
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#state !== 'idle' && this.#state !== 'stopped') return;
    const isLast = this.#mayStop && this.#riding.length > 0 && this.#state === 'idle';
    if (this.#waiting.length === 0 && !isLast) this.#stopIfClosing();
    else if (this.#state === 'stopped') this.#start();
    else this.#sendBatch();
  }

  #sendBatch(): void {
    const riding = this.#riding.splice(0, MAX_BATCH);
    const operations = this.#waiting.splice(0, MAX_BATCH);
    this.#inFlight = [...operations, ...riding.map(unheard<Calls>)];
    this.#state = 'busy';
    this.#options.onBatch?.(this.#inFlight.length);
    try {
      this.#post({ kind: 'batch', operations: this.#inFlight.map(({ operation }) => operation) });
    } catch {
      this.#state = 'idle';
      this.#refuseUncloneable(this.#takeInFlight());
    }
  }

  /** An operation that contains something a thread cannot get (a function) must not make its neighbours fail. */
  #refuseUncloneable(batch: readonly Pending<Calls>[]): void {
    const sound = batch.filter(({ operation, fail }) => {
      try {
        structuredClone(operation);
        return true;
      } catch (error) {
        fail(errorOf(failureOf(error)));
        return false;
      }
    });
    this.#waiting.unshift(...sound);
    this.#flush();
  }

  #post(message: ToWorker<Calls>): void {
    this.#worker?.postMessage(message);
  }

  #start(): void {
    this.#state = 'opening';
    const worker = this.#options.spawn();
    this.#worker = worker;
    let death = new Error('the worker thread ended');
    worker.on('message', (message: FromWorker<Calls>) => {
      if (this.#worker === worker) this.#receive(message);
    });
    worker.on('error', (error: Error) => {
      death = error;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#buryWorker(death);
    });
  }

  #receive(message: FromWorker<Calls>): void {
    switch (message.kind) {
      case 'opened':
        this.#state = 'idle';
        this.#opening?.resolve(message);
        this.#opening = undefined;
        break;
      case 'not_opened':
        this.#state = 'stopped';
        this.#worker = undefined;
        this.#refuseAll(errorOf(message.failure));
        break;
      case 'replies':
        this.#state = 'idle';
        this.#settle(message.replies);
        break;
    }
    this.#flush();
  }

  #settle(replies: readonly Reply<Calls>[]): void {
    const batch = this.#takeInFlight();
    this.#options.onBatchEnded?.(batch.map(({ operation }) => operation));
    settleAll(batch, replies);
  }

  #takeInFlight(): readonly Pending<Calls>[] {
    const batch = this.#inFlight;
    this.#inFlight = [];
    return batch;
  }

  #refuseAll(error: Error): void {
    this.#opening?.reject(error);
    this.#opening = undefined;
    const refusal = new StoreUnavailableError(reasonOf(error) ?? 'io', { cause: error });
    for (const { fail } of this.#waiting.splice(0)) fail(refusal);
  }

  #stopIfClosing(): void {
    if (this.#closing === undefined || !this.#mayStop) return;
    if (this.#worker === undefined) {
      this.#closing.resolve();
      return;
    }
    this.#state = 'stopping';
    this.#post({ kind: 'close' });
  }

  /** The thread is gone, because it was asked to close or because it crashed. */
  #buryWorker(death: Error): void {
    const diedAs = this.#state;
    this.#state = 'stopped';
    this.#worker = undefined;
    if (diedAs !== 'stopping') this.#options.onCrash?.(death);
    const refusal = new StoreUnavailableError('io', { cause: death });
    for (const { fail } of this.#takeInFlight()) fail(refusal);
    // A thread that dies while it opens would die again at once, so only the next call starts another.
    if (diedAs === 'opening') this.#refuseAll(death);
    this.#flush();
  }
}

function unheard<Calls>(operation: Operation<Calls>): Pending<Calls> {
  return { operation, succeed: () => {}, fail: () => {} };
}

function settleAll<Calls>(
  batch: readonly Pending<Calls>[],
  replies: readonly Reply<Calls>[],
): void {
  for (const [index, pending] of batch.entries()) {
    const reply = replies[index];
    if (reply === undefined) pending.fail(new StoreUnavailableError('io'));
    else if (reply.ok) pending.succeed(reply.result);
    else pending.fail(errorOf(reply.failure));
  }
}

function isOfKind<Calls, Kind extends Operation<Calls>['kind']>(
  result: Result<Calls>,
  kind: Kind,
): result is Extract<Result<Calls>, { readonly kind: Kind }> {
  return result.kind === kind;
}

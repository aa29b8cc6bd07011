// The disk between a process and its real database, or the network between it and a shared one. Operations are
// collected, wait for the disk, and are run as one batch by the real store; a virtual moment later the process gets the
// results. The process may die in between. The weather decides which operations the disk refuses, and which it performs
// but reports as failed.

import type { Store } from '../../src/core/ports/store.ts';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { interceptStore, type StoreOperation } from '../support/intercept-store.ts';
import type { Link } from '../support/shared-machine.ts';
import type { Journal } from './journal.ts';
import type { Random } from './random.ts';
import type { LifeClock, Timeline } from './timeline.ts';
import { type DiskSpan, spanAt } from './weather.ts';

const READS: ReadonlySet<StoreOperation> = new Set<StoreOperation>([
  'queueState',
  'findDuplicate',
  'listQuarantine',
  'listProvenTokens',
  'findDeliveries',
]);

interface Waiting {
  /** Runs the operation on the real store. */
  readonly run: () => Promise<() => void>;
  readonly refuse: (error: Error) => void;
}

/** The writer's thread, or the reader's: one batch at a time. `nodes` is a separate connection. */
interface Thread {
  readonly kind: 'write' | 'read' | 'nodes';
  waiting: Waiting[];
  isBusy: boolean;
}

export interface DiskParts {
  readonly timeline: Timeline;
  readonly random: Random;
  /** The disk's troubles, and when they happen. */
  readonly spans: readonly DiskSpan[];
  readonly clock: LifeClock;
  readonly journal: Journal;
}

export class Disk {
  readonly #parts: DiskParts;
  readonly #threads: readonly Thread[] = [
    { kind: 'write', waiting: [], isBusy: false },
    { kind: 'read', waiting: [], isBusy: false },
    { kind: 'nodes', waiting: [], isBusy: false },
  ];
  #isDead = false;

  constructor(parts: DiskParts) {
    this.#parts = parts;
  }

  /** The store as the process sees it. Its `close` does nothing: the machine closes the real store. */
  attach(store: Store): Store {
    return { ...interceptStore(store, this.link), close: () => Promise.resolve() };
  }

  readonly link: Link = (name, operation) => {
    if (name === 'nodes') return this.#call('nodes', operation);
    return this.#call(READS.has(name) ? 'read' : 'write', operation);
  };

  /** The process died: operations that have not run never will, and the results of the others reach nobody. */
  kill(): void {
    this.#isDead = true;
    for (const thread of this.#threads) thread.waiting = [];
  }

  #call<Result>(kind: Thread['kind'], operation: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const thread = this.#threads.find((candidate) => candidate.kind === kind);
    if (thread === undefined || this.#isDead) return promise;
    const run = async () => {
      try {
        const result = await operation();
        return () => resolve(result);
      } catch (error) {
        return () => reject(error);
      }
    };
    thread.waiting.push({ run, refuse: reject });
    this.#plan(thread);
    return promise;
  }

  #plan(thread: Thread): void {
    if (thread.isBusy || thread.waiting.length === 0) return;
    thread.isBusy = true;
    const { timeline, random } = this.#parts;
    timeline.after(random.between(0.2, 3) + this.#slownessMs(thread), async () => {
      if (this.#isDead) return;
      const batch = thread.waiting;
      thread.waiting = [];
      const tell = await this.#runBatch(thread, batch);
      timeline.after(random.between(0, 1), () => {
        if (this.#isDead) return;
        this.#parts.clock.whenRunning(() => {
          for (const reply of tell) reply();
          thread.isBusy = false;
          this.#plan(thread);
        });
      });
    });
  }

  async #runBatch(thread: Thread, batch: readonly Waiting[]): Promise<readonly (() => void)[]> {
    const trouble = this.#trouble();
    const isTouched = thread.kind !== 'read' || (trouble?.kind === 'refusing' && trouble.alsoReads);
    const refuseAll = (reason: StoreUnavailableError['reason']) => {
      this.#parts.journal.count(`disk_${reason}`);
      return batch.map(
        ({ refuse }) =>
          () =>
            refuse(new StoreUnavailableError(reason)),
      );
    };
    if (trouble?.kind === 'refusing' && isTouched) return refuseAll(trouble.reason);
    const replies = await Promise.all(batch.map(({ run }) => run()));
    if (trouble?.kind !== 'lying' || !isTouched) return replies;
    this.#parts.journal.count('disk_lied');
    return refuseAll('io');
  }

  #slownessMs(thread: Thread): number {
    const trouble = this.#trouble();
    if (trouble?.kind !== 'slow') return 0;
    // A slow writer does not slow a reader, unless the disk itself is slow, which is so every other time.
    if (thread.kind === 'read' && this.#parts.random.chance(0.5)) return 0;
    this.#parts.journal.count('disk_slow');
    return this.#parts.random.between(0, trouble.extraMs);
  }

  #trouble() {
    const { spans, timeline } = this.#parts;
    return spanAt(spans, timeline.nowMs)?.trouble;
  }
}

// Operations that take the same lock run one after the other, because each waiting one would occupy a connection.

import { StoreUnavailableError } from '../../core/ports/store.ts';

const MAX_PENDING = 1_000;

export class Serial {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #isClosed = false;

  /** Rejects with `StoreUnavailableError` if too many wait, or after the close. */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw new StoreUnavailableError('closed');
    if (this.#pending >= MAX_PENDING) throw new StoreUnavailableError('busy');
    this.#pending += 1;
    const result = this.#last.then(task, task);
    this.#last = result;
    try {
      return await result;
    } finally {
      this.#pending -= 1;
    }
  }

  /** Resolves when all pending operations have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([this.#last]);
  }
}

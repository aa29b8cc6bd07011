// Work under way, so that a stop can wait for all of it.

export class Pending {
  readonly #work = new Set<Promise<unknown>>();

  get size(): number {
    return this.#work.size;
  }

  /** Counts the work until it ends, and hands it back. */
  add<Result>(work: Promise<Result>): Promise<Result> {
    const done = () => this.#work.delete(work);
    this.#work.add(work);
    work.then(done, done);
    return work;
  }

  /** Resolves when nothing is under way, what was added meanwhile included. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}

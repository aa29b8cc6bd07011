// What happened, in order: a bounded log with listeners and waiters. The oldest
// entries are dropped; the count of all entries is kept.

export interface Journal<Entry> {
  /** Entries since the start or the last `clear`, dropped ones included. */
  readonly count: number;
  add(entry: Entry): void;
  /** The kept entries, oldest first. */
  entries(): Entry[];
  /** Called synchronously for every entry; returns a function that stops it. */
  listen(listener: (entry: Entry) => void): () => void;
  /**
   * Resolves with the first `count` matching entries, kept ones included, as soon as there are that many. Rejects if
   * the sandbox closes first.
   */
  waitFor(predicate: (entry: Entry) => boolean, count: number): Promise<readonly Entry[]>;
  clear(): void;
  close(): void;
}

/** `maxEntries` is how many are kept; 0 keeps only the count. */
export function createJournal<Entry>(maxEntries: number): Journal<Entry> {
  // A ring: `next` is where the next entry goes once the array is full.
  let ring: Entry[] = [];
  let next = 0;
  let count = 0;
  const listeners = new Set<(entry: Entry) => void>();
  const abandon = new Set<() => void>();

  const entries = (): Entry[] => [...ring.slice(next), ...ring.slice(0, next)];

  function listen(listener: (entry: Entry) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  return {
    get count() {
      return count;
    },
    add(entry) {
      count += 1;
      if (ring.length < maxEntries) {
        ring.push(entry);
      } else if (maxEntries > 0) {
        ring[next] = entry;
        next = (next + 1) % maxEntries;
      }
      for (const listener of listeners) listener(entry);
    },
    entries,
    listen,
    waitFor(predicate, wanted) {
      const found = entries().filter(predicate).slice(0, wanted);
      if (found.length >= wanted) return Promise.resolve(found);
      return new Promise((resolve, reject) => {
        const stop = listen((entry) => {
          if (!predicate(entry)) return;
          found.push(entry);
          if (found.length < wanted) return;
          settle();
          resolve(found);
        });
        const giveUp = (): void => {
          settle();
          reject(
            new Error(`the sandbox closed after ${found.length} of ${wanted} awaited entries`),
          );
        };
        const settle = (): void => {
          stop();
          abandon.delete(giveUp);
        };
        abandon.add(giveUp);
      });
    },
    clear() {
      ring = [];
      next = 0;
      count = 0;
    },
    close() {
      for (const giveUp of [...abandon]) giveUp();
      listeners.clear();
    },
  };
}

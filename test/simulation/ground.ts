// Where the lives of the service store what outlasts them: a file for one machine, or a database that several machines
// share.

import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../src/core/ports/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { SharedDatabase } from '../support/shared-database.ts';
import { joinMachine } from '../support/shared-machine.ts';
import type { Disk } from './disk.ts';
import { type Rows, readFile, readShared } from './rows.ts';
import type { LifeClock, Timeline } from './timeline.ts';

const KEYS = { current: Buffer.alloc(32, 7), previous: [] };

export interface OpenedGround {
  /** The store as the process sees it, behind its disk or network. */
  readonly store: Store;
  /** The name of this machine among the others. */
  readonly owner?: string;
  /** Called by the machine when the process is gone. */
  readonly close: () => Promise<void>;
}

export interface Opening {
  readonly name: string;
  readonly clock: LifeClock;
  readonly disk: Disk;
  /** Wraps the store, to see each operation when it is performed. */
  readonly watch: (store: Store) => Store;
  readonly onDeclaredDead: (owner: string) => void;
  /** A machine stopped or died, so its deliveries may be due. */
  readonly onLeft: () => void;
}

export interface Ground {
  /** Whether opening it waits for threads, in real time; otherwise it takes virtual time. */
  readonly isThreaded: boolean;
  open(opening: Opening): Promise<OpenedGround>;
  /** Called when a process died: keeps the data for the next one. */
  keep(): void;
  rows(): Rows;
}

/** A file for each life, since a process that is gone may still have its own file open. */
export class FileGround implements Ground {
  readonly isThreaded = true;
  readonly #folder: string;
  #number = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async open({ disk, watch }: Opening): Promise<OpenedGround> {
    const { store } = await openSqliteStore({ file: this.#file(), keys: KEYS });
    return { store: disk.attach(watch(store)), close: () => store.close() };
  }

  keep(): void {
    const file = this.#file();
    this.#number += 1;
    for (const suffix of ['', '-wal']) {
      const isThere = existsSync(`${file}${suffix}`);
      if (isThere) copyFileSync(`${file}${suffix}`, `${this.#file()}${suffix}`);
    }
  }

  rows(): Rows {
    return readFile(this.#file());
  }

  #file(): string {
    return join(this.#folder, `life-${this.#number}.sqlite`);
  }
}

export class SharedGround implements Ground {
  readonly isThreaded = false;
  readonly #database: SharedDatabase;

  constructor(timeline: Timeline, startMs: number) {
    this.#database = new SharedDatabase(() => startMs + timeline.nowMs);
  }

  async open(opening: Opening): Promise<OpenedGround> {
    const { name: id, clock, disk, watch, onDeclaredDead, onLeft } = opening;
    const { link } = disk;
    const onTakenOver = ({ nodeId }: { readonly nodeId: string }) => {
      onDeclaredDead(nodeId);
      onLeft();
    };
    const { store, owner } = await joinMachine(this.#database, {
      ...{ id, clock, link, watch, onTakenOver, onGone: onLeft },
    });
    return { store, owner, close: () => Promise.resolve() };
  }

  keep(): void {}

  rows(): Rows {
    return readShared(this.#database);
  }
}

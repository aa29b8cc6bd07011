// Lies between the core and its store: a test decides whether and when an operation runs, and which result the core
// gets.

import { type Store, StoreUnavailableError } from '../../src/core/ports/store.ts';

export type StoreOperation = Exclude<keyof Store, 'mayRetry'>;

/** Runs `operation` now, later or never; the core gets what this returns. */
export type Interceptor = <Result>(
  name: StoreOperation,
  operation: () => Promise<Result>,
) => Promise<Result>;

export function interceptStore(store: Store, run: Interceptor): Store {
  const { claimKey } = store;
  return {
    ...(claimKey && { claimKey: (input) => run('claimKey', () => claimKey(input)) }),
    insert: (input) => run('insert', () => store.insert(input)),
    settle: (input) => run('settle', () => store.settle(input)),
    confirm: (input) => run('confirm', () => store.confirm(input)),
    renew: (input) => run('renew', () => store.renew(input)),
    claimDue: (input) => run('claimDue', () => store.claimDue(input)),
    mayRetry: (leasedAtMs) => store.mayRetry(leasedAtMs),
    releaseLeases: (owner) => run('releaseLeases', () => store.releaseLeases(owner)),
    recover: (input) => run('recover', () => store.recover(input)),
    hasten: (input) => run('hasten', () => store.hasten(input)),
    expireOverdue: (input) => run('expireOverdue', () => store.expireOverdue(input)),
    queueState: (input) => run('queueState', () => store.queueState(input)),
    findDuplicate: (input) => run('findDuplicate', () => store.findDuplicate(input)),
    quarantine: (entry, about) => run('quarantine', () => store.quarantine(entry, about)),
    releaseQuarantine: (hash) => run('releaseQuarantine', () => store.releaseQuarantine(hash)),
    listQuarantine: (input) => run('listQuarantine', () => store.listQuarantine(input)),
    listProvenTokens: (limit) => run('listProvenTokens', () => store.listProvenTokens(limit)),
    findDeliveries: (query) => run('findDeliveries', () => store.findDeliveries(query)),
    prune: (input) => run('prune', () => store.prune(input)),
    probe: () => run('probe', () => store.probe()),
    onTrouble: (listener) => store.onTrouble(listener),
    recordReply: (input) => run('recordReply', () => store.recordReply(input)),
    close: () => run('close', () => store.close()),
  };
}

/** A store that a test can watch, delay and make fail. */
export interface StoreSwitch {
  readonly wrap: (store: Store) => Store;
  /** From now on these operations are refused, by default all that write; nothing reaches the database. */
  fail(reason: StoreUnavailableError['reason'], operations?: readonly StoreOperation[]): void;
  repair(): void;
  /** From now on these operations wait until the returned function is called. */
  hold(operations: readonly StoreOperation[]): () => void;
  /** Resolves when nothing is under way and no later step follows from what was. */
  idle(): Promise<void>;
}

const WRITES: readonly StoreOperation[] = [
  'insert',
  'claimKey',
  'settle',
  'confirm',
  'renew',
  'claimDue',
  'releaseLeases',
  'recover',
  'hasten',
  'expireOverdue',
  'quarantine',
  'releaseQuarantine',
  'prune',
  'probe',
  'recordReply',
];

export function createStoreSwitch(): StoreSwitch {
  let failing: { readonly reason: StoreUnavailableError['reason']; readonly on: Set<string> } = {
    reason: 'io',
    on: new Set(),
  };
  let held: { readonly on: Set<string>; readonly until: Promise<void> } | undefined;
  const pending = new Set<Promise<unknown>>();

  const run: Interceptor = (name, operation) => {
    const waits = held?.on.has(name) === true ? held.until : Promise.resolve();
    const isFailing = failing.on.has(name);
    const { reason } = failing;
    const result = waits.then(() => {
      if (isFailing) throw new StoreUnavailableError(reason);
      return operation();
    });
    const done = () => pending.delete(settled);
    const settled: Promise<unknown> = result.then(done, done);
    if (waits === held?.until) return result;
    pending.add(settled);
    return result;
  };

  return {
    wrap: (store) => interceptStore(store, run),
    fail: (reason, operations = WRITES) => {
      failing = { reason, on: new Set(operations) };
    },
    repair: () => {
      failing = { reason: 'io', on: new Set() };
    },
    hold: (operations) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = { on: new Set(operations), until: promise };
      return () => {
        held = undefined;
        resolve();
      };
    },
    idle: async () => {
      do {
        await Promise.all(pending);
        await turn();
      } while (pending.size > 0);
    },
  };
}

/** Lets everything run that does not wait for a device, a clock or a thread. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

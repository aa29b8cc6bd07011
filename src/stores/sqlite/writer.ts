// The one connection that writes. Runs a batch of operations as one transaction, waits for locks that other
// processes hold, and opens the file anew after a failure of the disk.

import type Database from 'better-sqlite3';
import { corruptDatabase, reasonOf } from './errors.ts';
import { errorOf, failureOf } from './failure.ts';
import { openWriting } from './open-database.ts';
import type { Opened, Reply, WriteCalls, WriteOperation, WriterOptions } from './protocol.ts';
import { Sealer } from './seal.ts';
import { openVault, type Vault } from './vault.ts';
import { prepareWriteOperations, type WriteOperations } from './write-operations.ts';

/** Times the busy timeout: how long a lock is waited for before operations are refused as `locked`. */
const LOCK_WAITS = 8;

type WriteReply = Reply<WriteCalls>;

interface Connection {
  readonly db: Database.Database;
  readonly vault: Vault;
  readonly operations: WriteOperations;
  readonly begin: Database.Statement;
  readonly commit: Database.Statement;
  readonly rollback: Database.Statement;
  readonly savepoint: Database.Statement;
  readonly release: Database.Statement;
  readonly undo: Database.Statement;
}

export class Writer {
  readonly #options: WriterOptions;
  #lookupKey: Uint8Array | undefined;
  #connection: Connection | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lookupKey = options.expectedLookupKey;
  }

  /** Also tries a write: a file that can only be read should stop the start, not the first payment. */
  open(): Opened {
    const { lookupKey, key, resealedRows } = this.#connect().vault;
    for (const reply of this.runBatch([{ kind: 'probe', input: undefined }])) {
      // With a full disk the service starts all the same: pushes that succeed at once need no row.
      if (!reply.ok && !isFull(reply)) throw errorOf(reply.failure);
    }
    return {
      kind: 'opened',
      lookupKey,
      key,
      ...(resealedRows === undefined ? {} : { resealedRows }),
    };
  }

  /** One reply for each operation. Those that succeeded are on the disk when this returns. */
  runBatch(operations: readonly WriteOperation[]): readonly WriteReply[] {
    try {
      const replies = this.#runTogether(operations) ?? this.#runApart(operations);
      this.#tidy();
      return replies;
    } catch (error) {
      this.#abandonBatch(error);
      if (reasonOf(error) === 'full' && operations.length > 1) return this.#runEach(operations);
      const failure = failureOf(error);
      return operations.map(() => ({ ok: false, failure }));
    }
  }

  close(): void {
    this.#connection?.db.close();
    this.#connection = undefined;
  }

  #tidy(): void {
    try {
      this.#connection?.operations.tidy();
    } catch {
      // What ails the file, the next batch will meet and tell.
    }
  }

  /** Nothing, and nothing written, if an operation is at fault: which one it is costs two statements each. */
  #runTogether(operations: readonly WriteOperation[]): readonly WriteReply[] | undefined {
    const connection = this.#connect();
    waitForLock(() => connection.begin.run());
    try {
      connection.operations.begin();
      const replies = operations.map(
        (operation): WriteReply => ({ ok: true, result: connection.operations.run(operation) }),
      );
      connection.operations.end();
      connection.commit.run();
      return replies;
    } catch (error) {
      if (reasonOf(error) !== undefined || !connection.db.inTransaction) throw error;
      connection.rollback.run();
      connection.operations.undone();
      return undefined;
    }
  }

  /** Still one transaction, but an operation at fault is undone and answered by itself. */
  #runApart(operations: readonly WriteOperation[]): readonly WriteReply[] {
    const connection = this.#connect();
    waitForLock(() => connection.begin.run());
    connection.operations.begin();
    const replies = operations.map((operation) => runAlone(connection, operation));
    connection.operations.end();
    connection.commit.run();
    return replies;
  }

  /** On a full disk SQLite undoes the whole transaction, but what frees space may still succeed. */
  #runEach(operations: readonly WriteOperation[]): readonly WriteReply[] {
    let refusal: WriteReply | undefined;
    return operations.flatMap((operation) => {
      if (operation.kind !== 'insert') return this.runBatch([operation]);
      if (refusal !== undefined) return refusal;
      const replies = this.runBatch([operation]);
      refusal = replies.find(isFull);
      return replies;
    });
  }

  #connect(): Connection {
    this.#connection ??= waitForLock(() => connect(this.#options, this.#lookupKey));
    this.#lookupKey = this.#connection.vault.lookupKey;
    return this.#connection;
  }

  #abandonBatch(error: unknown): void {
    const reason = reasonOf(error);
    this.#connection?.operations.undone();
    try {
      // SQLite has rolled back by itself after some errors.
      if (this.#connection?.db.inTransaction) this.#connection.rollback.run();
      if (reason !== 'full' && reason !== 'locked') this.close();
    } catch {
      this.close();
    }
  }
}

function connect(options: WriterOptions, expectedLookupKey: Uint8Array | undefined): Connection {
  const db = openWriting(options, expectedLookupKey === undefined);
  try {
    const vault = openVault(db, options.keys, options);
    if (expectedLookupKey !== undefined && !vault.lookupKey.equals(expectedLookupKey)) {
      throw corruptDatabase(options.file, 'another database was put in its place');
    }
    const operations = prepareWriteOperations(
      db,
      vault.sealer,
      options.keys.previous.map((key) => new Sealer(key)),
    );
    // What this process has accepted over an earlier connection lies in the journal.
    if (expectedLookupKey !== undefined) operations.undone();
    return {
      db,
      vault,
      operations,
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      savepoint: db.prepare('SAVEPOINT operation'),
      release: db.prepare('RELEASE operation'),
      undo: db.prepare('ROLLBACK TO operation'),
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** An operation that fails by itself leaves no trace and does not spoil its neighbours. */
function runAlone(connection: Connection, operation: WriteOperation): WriteReply {
  connection.savepoint.run();
  try {
    const result = connection.operations.run(operation);
    connection.operations.complete();
    connection.release.run();
    return { ok: true, result };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason !== undefined || !connection.db.inTransaction) throw error;
    connection.undo.run();
    connection.operations.undone();
    connection.operations.begin();
    connection.release.run();
    return { ok: false, failure: failureOf(error) };
  }
}

function isFull(reply: WriteReply): boolean {
  return !reply.ok && reply.failure.kind === 'unavailable' && reply.failure.reason === 'full';
}

/** Each try waits for the busy timeout inside SQLite; nothing but this thread stands still meanwhile. */
function waitForLock<Value>(attempt: () => Value): Value {
  for (let tries = 1; ; tries += 1) {
    try {
      return attempt();
    } catch (error) {
      if (reasonOf(error) !== 'locked' || tries === LOCK_WAITS) throw error;
    }
  }
}

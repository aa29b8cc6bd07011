// The one connection that writes. Owns the file for the life of its thread, runs a batch of operations as one
// transaction, waits for locks that other processes hold, and opens the file again after a failure of the disk.

import type Database from 'better-sqlite3';
import { StoreUnavailableError } from '../../core/ports/store.ts';
import type { OpenedKeys } from '../sealing/keys.ts';
import { corruptDatabase, errorOf, failureOf, reasonOf } from './errors.ts';
import { FileCheck, moved } from './file/file-check.ts';
import { isDiskFull, openImmutable } from './file/immutable.ts';
import { findKeys, openKeys } from './file/keys.ts';
import { makeFile } from './file/make-file.ts';
import { openWriting, readSqliteVersion, refusalOf } from './file/open-database.ts';
import { type OwnerLock, takeOwnership } from './file/owner.ts';
import type { Opened, Reply, WriteCalls, WriteOperation, WriterOptions } from './protocol.ts';
import { prepareWriteOperations, type WriteOperations } from './write-operations.ts';

/** Multiplied by the busy timeout: how long to wait for a lock before operations are refused as `locked`. */
const LOCK_WAITS = 8;
/** The WAL is copied into the file after this many operations: about 4 MB, like SQLite's own 1,000 pages. */
const CHECKPOINT_OPERATIONS = 500;

type WriteReply = Reply<WriteCalls>;

interface Connection {
  readonly db: Database.Database;
  readonly keys: OpenedKeys;
  readonly fileCheck: FileCheck;
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
  #ownership: OwnerLock | undefined;
  #connection: Connection | undefined;
  #sinceCheckpoint = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lookupKey = options.expectedLookupKey;
  }

  /** Also tries a write: a file that can only be read should stop the start, not the first payment. */
  open(): Opened {
    const { file } = this.#options;
    if (this.#lookupKey === undefined) makeFile(file);
    const since = new Date(performance.timeOrigin).toISOString();
    this.#ownership = takeOwnership(file, { pid: process.pid, since });
    const { lookupKey, resealedRows } = this.#openKeys();
    for (const reply of this.runBatch([{ kind: 'probe', input: undefined }])) {
      // The service also starts on a full disk: pushes that succeed at once need no row.
      if (!reply.ok && !isFull(reply)) throw refusalOf(file, errorOf(reply.failure));
    }
    const { aliveUntilMs } = this.#ownership;
    const sqliteVersion = readSqliteVersion();
    return { kind: 'opened', lookupKey, resealedRows, aliveUntilMs, sqliteVersion };
  }

  /** On a full disk, without SQLite's own files, the keys are all that the service needs to push. */
  #openKeys(): OpenedKeys {
    try {
      return this.#connect().keys;
    } catch (error) {
      const { file, keys } = this.#options;
      if (reasonOf(error) !== 'io' || !isDiskFull(file)) throw error;
      const db = openImmutable(file);
      try {
        const found = findKeys(db, keys, file);
        this.#lookupKey = found.lookupKey;
        return found;
      } finally {
        db.close();
      }
    }
  }

  /** One reply for each operation. Those that succeeded are on the disk when this returns. */
  runBatch(operations: readonly WriteOperation[]): readonly WriteReply[] {
    try {
      const looks = operations.filter(({ kind }) => kind === 'check_file' || kind === 'probe');
      // Also of a process whose file is gone.
      for (const { kind, input } of looks) {
        if (kind === 'check_file') this.#ownership?.noteAlive(input.aliveAtMs);
      }
      const connection = this.#connect();
      // Each check is a system call or two, at the cost of a push.
      if (!operations.every(isAnEnd)) this.#checkFiles(connection);
      if (looks.length > 0) {
        connection.fileCheck.checkWalHeader();
        this.#ownership?.keep();
      }
      this.#sinceCheckpoint += operations.length;
      return this.#runTogether(operations) ?? this.#runApart(operations);
    } catch (error) {
      this.#abandonBatch(error);
      if (reasonOf(error) === 'full' && operations.length > 1) return this.#runEach(operations);
      const failure = failureOf(reasonOf(error) === 'io' ? this.#fullOr(error) : error);
      return operations.map(() => ({ ok: false, failure }));
    }
  }

  /** Copies the WAL into the file from time to time, when nobody waits for an answer. */
  tidy(): void {
    if (this.#sinceCheckpoint < CHECKPOINT_OPERATIONS || this.#connection === undefined) return;
    this.#sinceCheckpoint = 0;
    const { db, fileCheck } = this.#connection;
    try {
      this.#checkFiles(this.#connection);
      fileCheck.checkWalHeader();
      db.pragma('wal_checkpoint(PASSIVE)');
      fileCheck.written();
    } catch (error) {
      // The WAL still has everything; the next batch fails in the same way and reports it.
      this.#abandonBatch(error);
    }
  }

  close(): void {
    this.#closeConnection();
    this.#ownership?.release();
    this.#ownership = undefined;
  }

  /**
   * What is in a WAL that was deleted can be read here alone: it goes into the file before this process ends. What was
   * in one that was emptied is lost, unless the file had it already.
   */
  #checkFiles({ db, fileCheck }: Connection): void {
    fileCheck.check();
    const change = fileCheck.changeOfWal();
    if (change === undefined) return;
    const wal = `${this.#options.file}-wal`;
    try {
      db.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      if (change === 'emptied' && reasonOf(error) === 'io') {
        throw fileCheck.condemn(`${wal} was emptied`);
      }
      throw error;
    }
    fileCheck.written();
    if (change === 'gone') throw moved(`${wal} was deleted or moved`);
  }

  #closeConnection(): void {
    this.#connection?.db.close();
    this.#connection = undefined;
  }

  /** Undefined, with nothing written, if an operation is at fault: finding out which one costs two statements each. */
  #runTogether(operations: readonly WriteOperation[]): readonly WriteReply[] | undefined {
    const connection = this.#connect();
    waitForLock(() => connection.begin.run());
    try {
      const replies = operations.map(
        (operation): WriteReply => ({ ok: true, result: connection.operations.run(operation) }),
      );
      connection.commit.run();
      return replies;
    } catch (error) {
      if (reasonOf(error) !== undefined || !connection.db.inTransaction) throw error;
      connection.rollback.run();
      connection.operations.undone();
      return undefined;
    }
  }

  /** Still one transaction, but an operation at fault is undone and answered separately. */
  #runApart(operations: readonly WriteOperation[]): readonly WriteReply[] {
    const connection = this.#connect();
    waitForLock(() => connection.begin.run());
    const replies = operations.map((operation) => runAlone(connection, operation));
    connection.commit.run();
    return replies;
  }

  /** On a full disk SQLite undoes the whole transaction, but operations that free space may still succeed. */
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
    this.#lookupKey = this.#connection.keys.lookupKey;
    return this.#connection;
  }

  /** SQLite reports an `io` error if it cannot make one of its own files on a full disk. */
  #fullOr(error: unknown): unknown {
    return isDiskFull(this.#options.file)
      ? new StoreUnavailableError('full', { cause: error })
      : error;
  }

  #abandonBatch(error: unknown): void {
    const reason = reasonOf(error);
    this.#connection?.operations.undone();
    try {
      // SQLite has rolled back by itself after some errors.
      if (this.#connection?.db.inTransaction) this.#connection.rollback.run();
      // A file that was moved may come back to its path; any other file there is not opened.
      if (reason === 'io' || reason === 'read_only') this.#closeConnection();
    } catch {
      this.#closeConnection();
    }
  }
}

function connect(options: WriterOptions, expectedLookupKey: Uint8Array | undefined): Connection {
  const db = openWriting(options);
  try {
    const keys = openKeys(db, options.keys, options.file);
    if (expectedLookupKey !== undefined && !keys.lookupKey.equals(expectedLookupKey)) {
      throw corruptDatabase(options.file, 'another database was put in its place');
    }
    return {
      db,
      keys,
      fileCheck: new FileCheck(options.file),
      operations: prepareWriteOperations(db, keys.sealer),
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

/** Only an operation that fails is undone; the others of its batch are kept. */
function runAlone(connection: Connection, operation: WriteOperation): WriteReply {
  connection.savepoint.run();
  try {
    const result = connection.operations.run(operation);
    connection.release.run();
    return { ok: true, result };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason !== undefined || !connection.db.inTransaction) throw error;
    connection.undo.run();
    connection.operations.undone();
    connection.release.run();
    return { ok: false, failure: failureOf(error) };
  }
}

/** Its answer promises nothing: if it was written into a file that was just deleted, nothing is lost. */
function isAnEnd({ kind, input }: WriteOperation): boolean {
  return kind === 'tell' || (kind === 'settle' && input.settlement.next.status !== 'queued');
}

function isFull(reply: WriteReply): boolean {
  return !reply.ok && reply.failure.kind === 'unavailable' && reply.failure.reason === 'full';
}

/** Each try waits for the busy timeout inside SQLite, which blocks only this thread. */
function waitForLock<Value>(attempt: () => Value): Value {
  for (let tries = 1; ; tries += 1) {
    try {
      return attempt();
    } catch (error) {
      if (reasonOf(error) !== 'locked' || tries === LOCK_WAITS) throw error;
    }
  }
}

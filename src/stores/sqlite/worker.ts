// The entry of a worker thread: opens its connection, then runs one batch after the other. better-sqlite3
// is synchronous, so it waits for locks and disks here, where it delays no push.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { openFailureOf } from './errors.ts';
import type {
  FromWorker,
  Opened,
  Operation,
  ReaderOptions,
  Reply,
  ToWorker,
  WriterOptions,
} from './protocol.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

interface Served<Calls> {
  open(): Opened;
  runBatch(operations: readonly Operation<Calls>[]): readonly Reply<Calls>[];
  /** Called after the answers were sent. */
  tidy?(): void;
  close(): void;
}

function serve<Calls>(served: Served<Calls>, port: MessagePort): void {
  const report = (message: FromWorker<Calls>) => port.postMessage(message);
  port.on('message', (message: ToWorker<Calls>) => {
    if (message.kind === 'batch') {
      report({ kind: 'replies', replies: served.runBatch(message.operations) });
      served.tidy?.();
      return;
    }
    served.close();
    port.close();
  });
  try {
    report(served.open());
  } catch (error) {
    served.close();
    report({ kind: 'not_opened', failure: openFailureOf(error) });
    port.close();
  }
}

const options: WriterOptions | ReaderOptions = workerData;
if (parentPort === null) throw new Error('this file is the entry of a worker thread');
if (options.role === 'writer') serve(new Writer(options), parentPort);
else serve(new Reader(options), parentPort);

// The worker thread of the floor: one plain table, one transaction per batch, synced to disk before it answers.

import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { z } from 'zod';

/** `insert`: id, token, subject, received; `settle`: settled, message id, latency, id. */
export interface FloorWrite {
  readonly kind: 'insert' | 'settle';
  readonly values: readonly (string | number)[];
}

const { file } = z.object({ file: z.string() }).parse(workerData);
const database = new Database(file);
database.pragma('journal_mode = WAL');
database.pragma('synchronous = FULL');
database.exec(`
  CREATE TABLE deliveries (
    row_id INTEGER PRIMARY KEY, id TEXT UNIQUE, app TEXT, provider TEXT, type TEXT, status TEXT, token_hash TEXT,
    subject_hash TEXT, received_at_ms INTEGER, settled_at_ms INTEGER, message_id TEXT, latency_ms INTEGER);
  CREATE INDEX deliveries_by_token ON deliveries (token_hash);
  CREATE INDEX deliveries_by_subject ON deliveries (subject_hash);
`);
const statements = {
  insert: database.prepare(`
    INSERT INTO deliveries (id, app, provider, type, status, token_hash, subject_hash, received_at_ms)
    VALUES (?, 'default', 'fcm', 'payment_received', 'queued', ?, ?, ?)`),
  settle: database.prepare(`
    UPDATE deliveries SET status = 'delivered', settled_at_ms = ?, message_id = ?, latency_ms = ? WHERE id = ?`),
};
const write = database.transaction((batch: readonly FloorWrite[]) => {
  for (const { kind, values } of batch) statements[kind].run(...values);
});

parentPort?.on('message', (batch: readonly FloorWrite[]) => {
  write.immediate(batch);
  parentPort?.postMessage(batch.length);
});

// The memory of proofs, in a small database of its own beside the log, `<file>.proofs`. Not in the log, because
// `nds doctor` also runs beside a service that owns the log, and before there is a log. With a plain file two processes
// could not agree on which one asks.

import Database from 'better-sqlite3';
import { z } from 'zod';
import type { EarlierProof, ProofMemory } from '../../core/ports/proofs.ts';
import { FORGOTTEN_AFTER_MS, outcomeSchema } from '../proofs.ts';
import { makeFile } from './file/make-file.ts';

const BUSY_TIMEOUT_MS = 250;

const rowSchema = z.object({ asked_at_ms: z.number(), outcome: z.string().nullable() });

/** Makes the folder and the file if they are missing. Throws if that is impossible. */
export function openProofMemory(databaseFile: string): ProofMemory {
  const file = `${databaseFile}.proofs`;
  makeFile(file);
  const db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // A row that is lost in a power failure costs one push to a token that no phone has; no start waits for the disk.
    db.pragma('synchronous = OFF');
    db.exec(
      `CREATE TABLE IF NOT EXISTS proofs (
         credentials TEXT PRIMARY KEY, asked_at_ms INTEGER NOT NULL, outcome TEXT
       ) STRICT, WITHOUT ROWID`,
    );
  } catch (error) {
    db.close();
    throw error;
  }
  return prepareProofs(db);
}

function prepareProofs(db: Database.Database): ProofMemory {
  const find = db.prepare('SELECT asked_at_ms, outcome FROM proofs WHERE credentials = ?');
  const put = db.prepare('INSERT OR REPLACE INTO proofs (credentials, asked_at_ms) VALUES (?, ?)');
  const prune = db.prepare('DELETE FROM proofs WHERE abs(? - asked_at_ms) > ?');
  const answer = db.prepare('UPDATE proofs SET outcome = ? WHERE credentials = ?');
  const remove = db.prepare('DELETE FROM proofs WHERE credentials = ?');
  const claim = db.transaction((credentials: string, wallMs: number, gapMs: number) => {
    const earlier = rowSchema.optional().parse(find.get(credentials));
    // The clock may have been set back since.
    if (earlier !== undefined && Math.abs(wallMs - earlier.asked_at_ms) < gapMs) {
      return proofOf(earlier);
    }
    prune.run(wallMs, FORGOTTEN_AFTER_MS);
    put.run(credentials, Math.floor(wallMs));
    return undefined;
  });
  return {
    async claim(credentials, { wallMs, gapMs }) {
      return claim.immediate(credentials, wallMs, gapMs);
    },
    async record(credentials, outcome) {
      answer.run(JSON.stringify(outcome), credentials);
    },
    async release(credentials) {
      remove.run(credentials);
    },
    async close() {
      db.close();
    },
  };
}

function proofOf({ asked_at_ms: askedAtMs, outcome }: z.infer<typeof rowSchema>): EarlierProof {
  return outcome === null
    ? { askedAtMs }
    : { askedAtMs, outcome: outcomeSchema.parse(JSON.parse(outcome)) };
}

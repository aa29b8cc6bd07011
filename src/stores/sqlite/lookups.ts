// By which token or subject a delivery is found. Fingerprints have no order, so that an index of them would be
// written at two random places for every delivery, in a tree that grows with the log. Instead the newest rows are
// looked through, and a thousand at a time are entered here together, in buckets that stay small: a bucket's pages
// are few enough for a thousand entries to share them. A lookup asks every bucket, newest first.

import type Database from 'better-sqlite3';

/** Rows that are looked through one by one before they are entered. */
const TAIL_ROWS = 1_000;
/** As a power of two: 16,384 rows of `deliveries` share a bucket, so that a million make 61. */
const BUCKET_BITS = 14;

/**
 * Enters rows as soon as there are enough of them, a thousand in a transaction: a log that was made before there
 * were lookups catches up step by step. A transaction of its own: on a full disk its failure must not undo what
 * would free some.
 */
export function prepareLookupUpkeep(db: Database.Database): () => void {
  const tail = db
    .prepare<[], number>(
      `SELECT coalesce((SELECT max(row_id) FROM deliveries), 0) - entered_until FROM lookup_progress`,
    )
    .pluck();
  const last = db
    .prepare<[], number>(
      `SELECT max(row_id) FROM (SELECT row_id FROM deliveries
         WHERE row_id > (SELECT entered_until FROM lookup_progress) ORDER BY row_id LIMIT ${TAIL_ROWS})`,
    )
    .pluck();
  // A caller may name as its subject what a token is made of.
  const enter = db.prepare<{ last: number }>(
    `INSERT OR IGNORE INTO lookups (bucket, hash, row_id)
     SELECT row_id >> ${BUCKET_BITS}, hash, row_id FROM (
       SELECT row_id, token_hash AS hash FROM deliveries
         WHERE row_id > (SELECT entered_until FROM lookup_progress) AND row_id <= @last
       UNION ALL
       SELECT row_id, subject_hash FROM deliveries
         WHERE row_id > (SELECT entered_until FROM lookup_progress) AND row_id <= @last
           AND subject_hash IS NOT NULL)
     ORDER BY 1, 2`,
  );
  const advance = db.prepare<{ last: number }>('UPDATE lookup_progress SET entered_until = @last');
  const enterNext = db.transaction(() => {
    const entered = last.get();
    if (entered === undefined) return;
    enter.run({ last: entered });
    advance.run({ last: entered });
  });
  return function keepUp(): void {
    if ((tail.get() ?? 0) >= TAIL_ROWS) enterNext.immediate();
  };
}

/** The rows whose token or subject has this fingerprint, newest first; `downTo` a row, or all. */
export function prepareLookup(db: Database.Database) {
  const findInTail = db
    .prepare<{ hash: Buffer }, number>(
      `SELECT row_id FROM deliveries WHERE row_id > (SELECT entered_until FROM lookup_progress)
         AND (token_hash = @hash OR subject_hash = @hash) ORDER BY row_id DESC`,
    )
    .pluck();
  const span = db.prepare<[], { oldest: number | null; newest: number | null }>(
    `SELECT (SELECT min(bucket) FROM lookups) AS oldest, (SELECT max(bucket) FROM lookups) AS newest`,
  );
  // An entry may have outlived its row, whose number may have been given to another.
  const findInBucket = db
    .prepare<{ bucket: number; hash: Buffer }, number>(
      `SELECT d.row_id FROM lookups l JOIN deliveries d ON d.row_id = l.row_id
       WHERE l.bucket = @bucket AND l.hash = @hash
         AND d.row_id <= (SELECT entered_until FROM lookup_progress)
         AND (d.token_hash = @hash OR d.subject_hash = @hash) ORDER BY l.row_id DESC`,
    )
    .pluck();

  return function* rowsOf(hash: Buffer, downTo = 0): Generator<number> {
    yield* findInTail.all({ hash });
    const { oldest, newest } = span.get() ?? { oldest: null, newest: null };
    if (oldest === null || newest === null) return;
    const lowest = Math.max(oldest, downTo >> BUCKET_BITS);
    for (let bucket = newest; bucket >= lowest; bucket -= 1) {
      yield* findInBucket.all({ bucket, hash });
    }
  };
}

/**
 * Removes up to `limit` entries whose rows were all deleted, and returns how many; what else has lost its row goes
 * with its bucket.
 */
export function prepareLookupPruning(db: Database.Database): (limit: number) => number {
  // A number that was deleted may be given again, and the new row has to be entered.
  const fallBack = db.prepare(
    `UPDATE lookup_progress SET entered_until = coalesce((SELECT max(row_id) FROM deliveries), 0)
     WHERE entered_until > coalesce((SELECT max(row_id) FROM deliveries), 0)`,
  );
  const remove = db.prepare(
    `DELETE FROM lookups WHERE (bucket, hash, row_id) IN (
       SELECT bucket, hash, row_id FROM lookups
       WHERE bucket < coalesce((SELECT min(row_id) FROM deliveries) >> ${BUCKET_BITS}, ${Number.MAX_SAFE_INTEGER})
       LIMIT ?)`,
  );
  return function pruneLookups(limit: number): number {
    fallBack.run();
    return remove.run(limit).changes;
  };
}

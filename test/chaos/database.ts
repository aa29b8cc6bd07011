// The log as an operator reads it, from the database itself: deliveries with their attempts, and rules that must hold
// for every row. The statements work with SQLite and PostgreSQL.

import Database from 'better-sqlite3';
import { z } from 'zod';

const STATUSES = [
  'queued',
  'delivered',
  'unregistered',
  'rejected',
  'misconfigured',
  'expired',
] as const;

const rowSchema = z.object({
  id: z.string(),
  provider: z.enum(['apns', 'fcm']),
  type: z.string(),
  status: z.enum(STATUSES),
  attempt: z.number().nullable(),
  outcome: z.string().nullable(),
  attempt_reason: z.string().nullable(),
  message_id: z.string().nullable(),
});

export interface AttemptRow {
  readonly outcome: string;
  readonly reason: string | undefined;
  readonly messageId: string | undefined;
}

export interface DeliveryRow {
  readonly id: string;
  readonly provider: 'apns' | 'fcm';
  readonly type: string;
  readonly status: (typeof STATUSES)[number];
  readonly attempts: readonly AttemptRow[];
}

const idSchema = z.object({ id: z.string() });

function withDatabase<Result>(file: string, read: (database: Database.Database) => Result): Result {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    return read(database);
  } finally {
    database.close();
  }
}

export const DELIVERIES_WITH_ATTEMPTS = `
  SELECT d.id, d.provider, d.type, d.status, a.number AS attempt, a.outcome,
    a.reason AS attempt_reason, a.message_id
  FROM deliveries d LEFT JOIN attempts a USING (row_id) ORDER BY row_id, number`;

export function readDeliveries(file: string): readonly DeliveryRow[] {
  return toDeliveries(
    withDatabase(file, (database) => database.prepare(DELIVERIES_WITH_ATTEMPTS).all()),
  );
}

export function toDeliveries(rows: readonly unknown[]): readonly DeliveryRow[] {
  const byId = new Map<string, DeliveryRow & { readonly attempts: AttemptRow[] }>();
  for (const row of z.array(rowSchema).parse(rows)) {
    const { id, provider, type, status, outcome } = row;
    const delivery = byId.get(id) ?? { id, provider, type, status, attempts: [] };
    byId.set(id, delivery);
    if (row.attempt === null || outcome === null) continue;
    const reason = row.attempt_reason ?? undefined;
    delivery.attempts.push({ outcome, reason, messageId: row.message_id ?? undefined });
  }
  return [...byId.values()];
}

export function readOpenIds(file: string): readonly string[] {
  const sql = "SELECT id FROM deliveries WHERE status = 'queued'";
  const rows = withDatabase(file, (database) => database.prepare(sql).all());
  return z
    .array(idSchema)
    .parse(rows)
    .map(({ id }) => id);
}

/** States that no crash may leave. Each statement selects the rows that break one rule. */
export const RULES: readonly (readonly [string, string])[] = [
  [
    'a queued delivery without its place in the queue',
    "SELECT row_id FROM deliveries WHERE status = 'queued' AND row_id NOT IN (SELECT row_id FROM queue)",
  ],
  [
    'a settled delivery that is still in the queue',
    "SELECT row_id FROM queue WHERE row_id NOT IN (SELECT row_id FROM deliveries WHERE status = 'queued')",
  ],
  [
    'a delivered delivery without the attempt that delivered it',
    `SELECT row_id FROM deliveries WHERE status = 'delivered' AND reason IS NULL
       AND row_id NOT IN (SELECT row_id FROM attempts WHERE outcome = 'delivered')`,
  ],
  [
    'a delivered attempt of a delivery that is not',
    `SELECT row_id FROM attempts WHERE outcome = 'delivered'
       AND row_id NOT IN (SELECT row_id FROM deliveries WHERE status = 'delivered')`,
  ],
  [
    'an attempt of no delivery',
    'SELECT row_id FROM attempts WHERE row_id NOT IN (SELECT row_id FROM deliveries)',
  ],
  [
    'attempts that are not numbered from 1',
    'SELECT row_id FROM attempts GROUP BY row_id HAVING max(number) <> count(*) OR min(number) <> 1',
  ],
  [
    'a count of attempts that is not their number',
    `SELECT row_id FROM deliveries d
       WHERE attempts <> (SELECT count(*) FROM attempts a WHERE a.row_id = d.row_id)`,
  ],
  [
    'a duplicate key of a delivery that ended undelivered, but was not interrupted',
    `SELECT d.row_id FROM duplicate_keys k JOIN deliveries d ON d.id = k.delivery_id
       WHERE d.status NOT IN ('queued', 'delivered') AND d.reason IS DISTINCT FROM 'interrupted'`,
  ],
];

/** Every contradiction within the file; none in a sound one. */
export function faultsOf(file: string): readonly string[] {
  return withDatabase(file, (database) => {
    const faults: string[] = [];
    const integrity = database.pragma('integrity_check', { simple: true });
    if (integrity !== 'ok') faults.push(`integrity: ${String(integrity)}`);
    const orphans = database.pragma('foreign_key_check');
    if (Array.isArray(orphans) && orphans.length > 0) faults.push(`${orphans.length} orphans`);
    for (const [rule, sql] of RULES) {
      const broken = database.prepare(sql).all();
      if (broken.length > 0) faults.push(`${broken.length} × ${rule}`);
    }
    return faults;
  });
}

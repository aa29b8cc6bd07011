// What the drill reads from PostgreSQL directly, past the relays: which machine leases which deliveries, and the whole
// log at the end.

import pg from 'pg';
import { z } from 'zod';
import {
  DELIVERIES_WITH_ATTEMPTS,
  type DeliveryRow,
  RULES,
  toDeliveries,
} from '../../chaos/database.ts';

const leasedSchema = z.object({
  row_id: z.string(),
  lease_owner: z.string(),
  attempts: z.number(),
});
export type Leased = z.output<typeof leasedSchema>;

const nodeSchema = z.object({ id: z.string(), epoch: z.number() });

export interface DrillDatabase {
  /** The names under which the machine at this address has run and which are still in the table, with their epochs. */
  nodes(url?: string): Promise<readonly z.output<typeof nodeSchema>[]>;
  /** What the machine at this address leases now. */
  leasedAt(url: string): Promise<readonly Leased[]>;
  /** Those that no other machine has taken over since, and that have not ended. */
  stillLeft(leased: readonly Leased[]): Promise<readonly Leased[]>;
  countOpen(): Promise<number>;
  deliveries(): Promise<readonly DeliveryRow[]>;
  /** Every contradiction within the log. */
  faults(): Promise<readonly string[]>;
}

export function readingDatabase(url: string): DrillDatabase {
  /** Each statement has a connection of its own, because the server is killed between them. */
  async function query(sql: string, values: readonly unknown[] = []): Promise<readonly unknown[]> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  return {
    async nodes(nodeUrl) {
      const where = nodeUrl === undefined ? '' : 'WHERE url = $1';
      const rows = await query(
        `SELECT id, epoch::integer FROM nodes ${where} ORDER BY id`,
        nodeUrl === undefined ? [] : [nodeUrl],
      );
      return z.array(nodeSchema).parse(rows);
    },
    async leasedAt(nodeUrl) {
      const rows = await query(
        `SELECT q.row_id::text, q.lease_owner, d.attempts
         FROM queue q JOIN deliveries d USING (row_id) JOIN nodes n ON n.id = q.lease_owner
         WHERE n.url = $1`,
        [nodeUrl],
      );
      return z.array(leasedSchema).parse(rows);
    },
    async stillLeft(leased) {
      const rows = await query(
        `SELECT q.row_id::text, q.lease_owner, d.attempts
         FROM queue q JOIN deliveries d USING (row_id) WHERE q.row_id = ANY($1::bigint[])`,
        [leased.map(({ row_id }) => row_id)],
      );
      const now = z.array(leasedSchema.extend({ lease_owner: z.string().nullable() })).parse(rows);
      const byRow = new Map(now.map((row) => [row.row_id, row]));
      return leased.filter((before) => {
        const row = byRow.get(before.row_id);
        if (row === undefined || row.attempts > before.attempts) return false;
        return row.lease_owner === null || row.lease_owner === before.lease_owner;
      });
    },
    async countOpen() {
      const [row] = z
        .array(z.object({ open: z.number() }))
        .parse(await query('SELECT count(*)::integer AS open FROM queue'));
      return row?.open ?? 0;
    },
    deliveries: async () => toDeliveries(await query(DELIVERIES_WITH_ATTEMPTS)),
    async faults() {
      const faults: string[] = [];
      for (const [rule, sql] of RULES) {
        const broken = await query(sql);
        if (broken.length > 0) faults.push(`${broken.length} × ${rule}`);
      }
      return faults;
    },
  };
}

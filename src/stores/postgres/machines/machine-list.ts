// The machines that share the database, as an operator sees them.

import type { MachineState, OpenOutage } from '../../../core/ports/peers.ts';
import type { Database } from '../database.ts';
import { rowsOf } from '../reading.ts';

const LIST_MS = 1_000;
/** Each machine sees a few at most. */
const MAX_ROWS = 1_000;

/** One row for each outage that a machine sees, or one for a machine that sees none. */
const MACHINES = {
  columns: {
    id: 'text',
    started_at_ms: 'integer',
    silent_for: 'integer',
    deliveries: 'integer',
    app: 'text?',
    provider: 'text?',
    reason: 'text?',
    began_at_ms: 'integer?',
  },
  sql: `SELECT nodes.id, nodes.started_at AS started_at_ms,
      greatest(0, floor(1000 * extract(epoch FROM clock_timestamp() - nodes.beaten_at))) AS silent_for,
      (SELECT count(*) FROM queue WHERE lease_owner = nodes.id) AS deliveries,
      outages.app, outages.provider, outages.reason, outages.began_at AS began_at_ms
    FROM nodes LEFT JOIN outages ON outages.node = nodes.id AND outages.ended_at IS NULL
    ORDER BY nodes.started_at, nodes.id, outages.began_at
    LIMIT ${MAX_ROWS}`,
} as const;

export async function listMachines(database: Database): Promise<readonly MachineState[]> {
  const found = await database.run(MACHINES.sql, [], { statementMs: LIST_MS });
  const byId = Map.groupBy(rowsOf(MACHINES, found.rows), ({ id }) => id);
  return [...byId].flatMap(([id, rows]) => {
    const [first] = rows;
    if (first === undefined) return [];
    const { started_at_ms: startedAtMs, silent_for: silentForMs, deliveries } = first;
    return [{ id, startedAtMs, silentForMs, deliveries, outages: rows.flatMap(toOutage) }];
  });
}

interface OutageColumns {
  readonly app: string | null;
  readonly provider: string | null;
  readonly reason: string | null;
  readonly began_at_ms: number | null;
}

function toOutage({ app, provider, reason, began_at_ms: beganAtMs }: OutageColumns): OpenOutage[] {
  if (app === null || provider === null || reason === null || beganAtMs === null) return [];
  return [{ app, provider, reason, beganAtMs }];
}

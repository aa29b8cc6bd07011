// `nds find`: was it sent? Finds deliveries by what an operator knows: an id, a payment hash, swap id or
// transaction id, or a push token. Without one, the newest.

import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ConfigError, type Environment, parseConfig } from '../config/config.ts';
import { findSecrets } from '../config/secret.ts';
import type { DeliveryQuery, LoggedDelivery } from '../core/ports/store.ts';
import { createTarget, tokenKey } from '../core/target.ts';
import { createSystemClock, createSystemIds } from '../service/system.ts';
import { openReadOnly } from '../stores/sqlite/read-only.ts';
import { formatTable } from './table.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const MAX_ROWS = 1_000;

/** Returns 0 if something was found, 1 if not. Reads while the service runs; changes nothing. */
export async function find(args: readonly string[], environment: Environment): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      app: { type: 'string', default: 'default' },
      limit: { type: 'string', default: '20' },
    },
  });
  const limit = Math.min(MAX_ROWS, Math.max(1, Number.parseInt(values.limit, 10) || 1));
  const config = parseConfig(environment);
  if (!existsSync(config.database)) {
    throw new ConfigError([`NDS_DATABASE names ${config.database}, where no database is`]);
  }
  const keys = findSecrets({
    configured: config.secret,
    previous: config.previousSecrets,
    databaseFile: config.database,
  });
  const { lookupKey, findDeliveries, close } = openReadOnly({ file: config.database, keys });
  try {
    const { fingerprint } = createSystemIds(createSystemClock(), lookupKey);
    const queries = queriesFor(positionals[0], { app: values.app, limit, fingerprint });
    const found = queries.flatMap((query) => findDeliveries(query));
    process.stdout.write(found.length === 0 ? 'Nothing found.\n' : `${format(found)}\n`);
    return found.length === 0 ? 1 : 0;
  } finally {
    close();
  }
}

/** Every way in which what the operator knows may be in the log. */
function queriesFor(
  known: string | undefined,
  given: {
    readonly app: string;
    readonly limit: number;
    readonly fingerprint: (value: string) => string;
  },
): readonly DeliveryQuery[] {
  const { app, limit, fingerprint } = given;
  if (known === undefined) return [{ limit }];
  if (UUID.test(known)) return [{ id: known, limit }];
  // Of a token in hex, which is an iPhone's, the service keeps the spelling in lower case.
  const target = createTarget({ app, platform: 'ios', token: known });
  return [
    { subjectHash: fingerprint(known), limit },
    { tokenHash: fingerprint(tokenKey(target)), limit },
  ];
}

function format(deliveries: readonly LoggedDelivery[]): string {
  const rows = deliveries.map((delivery) => [
    new Date(delivery.receivedAtMs).toISOString(),
    delivery.id,
    delivery.app,
    delivery.provider,
    delivery.type,
    delivery.status,
    delivery.reason ?? '',
    delivery.attempts.map(formatAttempt).join(', '),
  ]);
  return formatTable(
    ['received', 'id', 'app', 'provider', 'type', 'status', 'reason', 'attempts'],
    rows,
  );
}

function formatAttempt({ outcome, reason, latencyMs }: LoggedDelivery['attempts'][number]): string {
  return `${outcome}${reason === undefined ? '' : ` (${reason})`} after ${latencyMs} ms`;
}

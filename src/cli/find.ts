// `nds find`: was it sent? Finds deliveries by what an operator knows: an id, a payment hash, swap id or
// transaction id, or a push token. Without one, the newest.

import { existsSync } from 'node:fs';
import { validate } from 'uuid';
import { ConfigError, type Environment, parseConfig } from '../config/config.ts';
import { showPath } from '../config/files.ts';
import { findSecrets } from '../config/secret.ts';
import type { DeliveryQuery, LoggedDelivery } from '../core/ports/store.ts';
import { createTarget, tokenKey } from '../core/target.ts';
import { createSystemClock, createSystemIds } from '../service/system.ts';
import { openReadOnly } from '../stores/sqlite/read-only.ts';
import { print } from './print.ts';
import { formatTable } from './table.ts';

export interface FindOptions {
  readonly known: string | undefined;
  readonly app: string;
  readonly limit: number;
}

/** Returns 0 if something was found, 1 if not. Reads while the service runs; changes nothing. */
export async function find(
  { known, app, limit }: FindOptions,
  environment: Environment,
): Promise<number> {
  const config = parseConfig(environment);
  if (!existsSync(config.database)) {
    throw new ConfigError([
      `NDS_DATABASE names ${showPath(config.database)}, where no database is`,
    ]);
  }
  const keys = findSecrets({
    configured: config.secret,
    previous: config.previousSecrets,
    databaseFile: config.database,
  });
  const { lookupKey, findDeliveries, close } = openReadOnly({ file: config.database, keys });
  try {
    const { fingerprint } = createSystemIds(createSystemClock(), lookupKey);
    const queries = queriesFor(known, { app, limit, fingerprint });
    const found = queries.flatMap((query) => findDeliveries(query));
    print(found.length === 0 ? 'Nothing found.\n' : `${format(found)}\n`);
    return found.length === 0 ? 1 : 0;
  } finally {
    close();
  }
}

/** Every column in which the operator's value may be found. */
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
  if (validate(known)) return [{ id: known, limit }];
  // Tokens in hex are iPhones', and the service keeps them in lower case.
  const target = createTarget({ app, platform: 'ios', token: known });
  const inSandbox = createTarget({ ...target, environment: 'sandbox' });
  const tokens = new Set([target, inSandbox].map(tokenKey));
  return [
    { subjectHash: fingerprint(known), limit },
    ...[...tokens].map((token) => ({ tokenHash: fingerprint(token), limit })),
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

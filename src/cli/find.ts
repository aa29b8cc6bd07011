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

/** Of an ISO time with milliseconds. */
const TIME_CHARACTERS = 24;

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
      `NDS_DATABASE names ${showPath(config.database)}, which does not exist`,
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
    print(found.length === 0 ? 'Nothing found.\n' : found.map(format).join('\n'));
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

/** One block per delivery, narrow enough for a terminal of 80 columns: what it is, then what happened and when. */
function format(delivery: LoggedDelivery): string {
  const { id, type, app, provider, receivedAtMs, settledAtMs, answeredAtMs } = delivery;
  const since = (wallMs: number) => `+${((wallMs - receivedAtMs) / 1_000).toFixed(3)} s`;
  const rows = [
    [new Date(receivedAtMs).toISOString(), 'received'],
    ...delivery.attempts.map(({ number, startedAtMs, latencyMs, ...result }) => [
      since(startedAtMs),
      `attempt ${number}: ${withReason(result.outcome, result.reason)} after ${latencyMs} ms`,
    ]),
    [
      settledAtMs === undefined ? 'now' : since(settledAtMs),
      withReason(delivery.status, delivery.reason),
    ],
    ...(answeredAtMs === undefined ? [] : [[since(answeredAtMs), 'the device replied']]),
  ];
  const lines = rows.map(([time = '', event]) => `  ${time.padStart(TIME_CHARACTERS)}  ${event}`);
  return [`${id}  ${type}  ${app}/${provider}`, ...lines, ''].join('\n');
}

function withReason(word: string, reason: string | undefined): string {
  return reason === undefined ? word : `${word} (${reason})`;
}

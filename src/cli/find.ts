// `nds find`: was it sent? Prints everything that the log knows about a payment hash, an id, a token, a webhook URL or
// a user. Works while the service runs, and changes nothing.

import type { Environment } from '../config/config.ts';
import { find as findInLog } from '../core/finding/find.ts';
import { newestAsText, textOf } from '../core/finding/find-text.ts';
import { deliveryAsJson, findResultAsJson } from '../core/finding/json.ts';
import { createSystemClock } from '../service/system.ts';
import { print } from './print.ts';
import { findLog, namesFor } from './read-log.ts';
import { argumentOrInput } from './standard-input.ts';

export interface FindOptions {
  /** Absent: the newest deliveries. `-`: read from standard input. */
  readonly known: string | undefined;
  /** Only this app, which need not be configured any more. */
  readonly app?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly limit: number;
  readonly json?: boolean | undefined;
}

/** Returns 0 if something was found, 1 if not. */
export async function find(options: FindOptions, environment: Environment): Promise<number> {
  const { known, app, limit, json = false } = options;
  const text = known === undefined ? undefined : await argumentOrInput(known);
  const { open, retentionMs } = findLog(environment);
  const log = await open();
  try {
    const nowMs = createSystemClock().wallMs();
    const sinceMs = options.sinceMs === undefined ? undefined : nowMs - options.sinceMs;
    if (text === undefined) {
      const newest = await log.findDeliveries({ limit });
      print(
        json ? inJson(newest.map((delivery) => deliveryAsJson(delivery))) : newestAsText(newest),
      );
      return newest.length === 0 ? 1 : 0;
    }
    const parts = { ...namesFor(environment, log, app), gather: log.gather, retentionMs, nowMs };
    const answer = await findInLog(text, parts, { sinceMs, limit });
    print(json ? inJson(findResultAsJson(answer)) : textOf(answer));
    return answer.found.length === 0 ? 1 : 0;
  } finally {
    await log.close();
  }
}

function inJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

// `nds find`: was it sent? Prints everything that the log knows about a payment hash, an id, a token, a webhook URL or
// a user. Works while the service runs, and changes nothing. A running service is only asked since when its database
// takes no rows: the log cannot contain that.

import type { Environment } from '../config/config.ts';
import { type FindParts, find as findInLog, withOpenGap } from '../core/finding/find.ts';
import { newestAsText, textOf } from '../core/finding/find-text.ts';
import { deliveryAsJson, findResultAsJson } from '../core/finding/json.ts';
import type { Evidence } from '../core/ports/log.ts';
import { createSystemClock } from '../service/system.ts';
import { readServiceState, type ServiceState } from './operate/reach.ts';
import { print } from './print.ts';
import { findLog, namesFor } from './read-log.ts';
import { sickStoreNote } from './sick-store-note.ts';
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
      const newest = await log.findDeliveries({ app, sinceMs, limit });
      if (json) print(inJson(newest.map((delivery) => deliveryAsJson(delivery))));
      else {
        print(newestAsText(newest, { isFiltered: app !== undefined || sinceMs !== undefined }));
        print(await sickStoreNote(environment));
      }
      return newest.length === 0 ? 1 : 0;
    }
    const gather = withServiceState(log.gather, await readServiceState(environment));
    const parts = { ...namesFor(environment, log, app), gather, retentionMs, nowMs };
    const answer = await findInLog(text, parts, { sinceMs, limit });
    print(json ? inJson(findResultAsJson(answer)) : textOf(answer));
    return answer.found.length === 0 ? 1 : 0;
  } finally {
    await log.close();
  }
}

/** As the service itself would answer. */
function withServiceState(
  gather: FindParts['gather'],
  state: ServiceState | 'hangs' | undefined,
): FindParts['gather'] {
  if (state === undefined || state === 'hangs') return gather;
  const { since } = state.checks.store ?? {};
  return async (question) => {
    // The service answered: on a disk that takes nothing, its last sign of life in the file may be old.
    const evidence: Evidence = { ...(await gather(question)), aliveUntilMs: undefined };
    return since === undefined ? evidence : withOpenGap(evidence, Date.parse(since));
  };
}

function inJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

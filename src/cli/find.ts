// `nds find`: was it sent? Prints everything that the log knows about a payment hash, an id, a token, a webhook URL or
// a user. Works while the service runs, and changes nothing. A running service is only asked what the log cannot
// contain: whether it answers, and since when its database takes no rows.

import type { Environment } from '../config/config.ts';
import {
  type FindParts,
  type FindResult,
  find as findInLog,
  withOpenGap,
} from '../core/finding/find.ts';
import { newestAsText, textOf } from '../core/finding/find-text.ts';
import { deliveryAsJson, findResultAsJson } from '../core/finding/json.ts';
import type { Evidence } from '../core/ports/log.ts';
import { createSystemClock } from '../service/system.ts';
import { readServiceState, type ServiceState } from './operate/reach.ts';
import { print } from './print.ts';
import { findLog, namesFor } from './read-log.ts';
import { HANGS, serviceNote } from './service-note.ts';
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
        print(await serviceNote(environment));
      }
      return newest.length === 0 ? 1 : 0;
    }
    const state = await readServiceState(environment);
    const gather = withServiceState(log.gather, state);
    const parts = { ...namesFor(environment, log, app), gather, retentionMs, nowMs };
    const found = await findInLog(text, parts, { sinceMs, limit });
    const answer = state === 'hangs' ? withHang(found) : found;
    print(json ? inJson(findResultAsJson(answer)) : textOf(answer));
    return answer.found.length === 0 ? 1 : 0;
  } finally {
    await log.close();
  }
}

/** As the service itself would answer; a service that hangs is no service that stopped. */
function withServiceState(
  gather: FindParts['gather'],
  state: ServiceState | 'hangs' | undefined,
): FindParts['gather'] {
  if (state === undefined) return gather;
  const since = state === 'hangs' ? undefined : state.checks.store?.since;
  return async (question) => {
    // The service runs: if it hangs or its disk takes nothing, its last sign of life in the file may be old.
    const evidence: Evidence = { ...(await gather(question)), aliveUntilMs: undefined };
    return since === undefined ? evidence : withOpenGap(evidence, Date.parse(since));
  };
}

function withHang(answer: FindResult): FindResult {
  const { code, sentence } = answer.verdict;
  return { ...answer, verdict: { code, sentence: `${HANGS} ${sentence}` } };
}

function inJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

// Phones that got a push twice. Each double must have its cause in the record: an outcome that the service could not
// know, or an attempt that was under way when its machine could no longer write it down. A double without a cause is a
// broken promise.

import type { ReceivedPush } from '../../../sandbox/sandbox.ts';
import { uncertainEnds } from '../../chaos/reconcile.ts';
import type { FaultRecord } from './faults.ts';
import { ATTEMPT_TIMEOUT_MS } from './machine.ts';
import type { Evidence, Found, Sent } from './reconcile.ts';

type Push = Sent<ReceivedPush>;

/** The stand-in records a push and its request one after the other. */
const SAME_MS = 20;
/** The time from a push to the commit of its end. */
const COMMIT_MS = 1_000;
/** After a stop, a machine sends what it had under way within this time, however busy it is. */
const RESUMING_MS = 3_000;
/** A machine whose last beat is older starts no retry. */
const FRESH_MS = 3_000;
/** What was under way may be tried once more at once, on a fresh connection. */
const LAST_TRIES_MS = 2 * ATTEMPT_TIMEOUT_MS + 500;
/** A first attempt is over by then: a later one is a retry of a stored row. */
const FIRST_SEND_MS = 5_000;

export interface Doubles {
  /** How many doubles have which cause. */
  readonly explained: Readonly<Record<string, number>>;
  readonly unexplained: readonly string[];
}

export function judgeDoubles(all: readonly Found[], evidence: Evidence): Doubles {
  const explained: Record<string, number> = {};
  const unexplained: string[] = [];
  for (const found of all) {
    let logged = found.rows.reduce((sum, row) => sum + uncertainEnds(row), 0);
    for (const [index, push] of found.pushes.entries()) {
      const before = found.pushes[index - 1];
      if (before === undefined) continue;
      const cause = causeOf(before, push, { found, evidence });
      const why = cause ?? (logged > 0 ? 'uncertain end in the log' : undefined);
      if (cause === undefined) logged -= 1;
      if (why === undefined) unexplained.push(describe(found, evidence.faults));
      else explained[why] = (explained[why] ?? 0) + 1;
    }
  }
  return { explained, unexplained };
}

function causeOf(
  before: Push,
  push: Push,
  { found, evidence }: { readonly found: Found; readonly evidence: Evidence },
): string | undefined {
  const { faults } = evidence;
  if (wasUnanswered(before, found)) return 'provider took it and did not say so in time';
  const cut = faults.find(
    (fault) =>
      meets(fault, before) &&
      fault.fromMs >= before.receivedAtMs - LAST_TRIES_MS &&
      fault.fromMs <= before.receivedAtMs + COMMIT_MS,
  );
  if (cut !== undefined) return `under way at ${cut.kind}`;
  const stopped = faults.some(
    (fault) =>
      fault.kind === 'stop' &&
      meets(fault, push) &&
      push.receivedAtMs >= fault.toMs &&
      push.receivedAtMs <= fault.toMs + RESUMING_MS &&
      found.call.tries.some(
        ({ machine, atMs }) => machine === push.machine && atMs <= fault.fromMs,
      ),
  );
  if (stopped) return 'under way at stop';
  return isUnclaimed(found, evidence)
    ? 'pushed by two machines, one of them without its key'
    : undefined;
}

/**
 * A machine that got no answer to its claim of the key in time pushed without it, and the caller also called another
 * machine.
 */
function isUnclaimed({ call, pushes }: Found, { unclaimed }: Evidence): boolean {
  const ids = [
    ...call.tries.map(({ answer }) => answer?.body.id),
    ...pushes.map(({ apns }) => apns?.id),
  ];
  return call.tries.length > 1 && ids.some((id) => id !== undefined && unclaimed.has(id));
}

function meets(fault: FaultRecord, { machine }: Push): boolean {
  return fault.machine === undefined || fault.machine === machine;
}

/** Whether the stand-in took the push and then, by its script, did not answer, reset the stream or answered late. */
function wasUnanswered(push: Push, { requests }: Found): boolean {
  return requests.some(
    ({ machine, scripted, status, reason, connection, receivedAtMs }) =>
      scripted &&
      machine === push.machine &&
      connection === push.connection &&
      Math.abs(receivedAtMs - push.receivedAtMs) <= SAME_MS &&
      (status === undefined || reason === 'delay'),
  );
}

/** Retries that a machine began while it was cut off, when the others may have declared it dead. */
export function zombieRetries(
  all: readonly Found[],
  { faults }: Pick<Evidence, 'faults'>,
): readonly string[] {
  return faults.flatMap((fault) => {
    if (fault.kind !== 'cut') return [];
    const fromMs = fault.fromMs + FRESH_MS + LAST_TRIES_MS;
    return all.flatMap(({ call, requests }) => {
      const [first] = requests;
      const late = requests.find(
        ({ machine, receivedAtMs }) =>
          machine === fault.machine && receivedAtMs > fromMs && receivedAtMs < fault.toMs,
      );
      if (first === undefined || late === undefined) return [];
      const afterMs = late.receivedAtMs - first.receivedAtMs;
      return afterMs > FIRST_SEND_MS ? [`${call.token}: tried again by ${late.machine}`] : [];
    });
  });
}

function describe({ call, rows, pushes, requests }: Found, faults: readonly FaultRecord[]): string {
  const [first] = call.tries;
  const startMs = first?.atMs ?? 0;
  const at = (ms: number | undefined) => (ms === undefined ? 'never' : `+${ms - startMs}`);
  const tries = call.tries.map(
    ({ machine, atMs, endedAtMs, answer }) =>
      `machine ${machine} ${at(atMs)} to ${at(endedAtMs)}: ${answer?.status} ${JSON.stringify(answer?.body)}`,
  );
  const asked = requests.map(
    ({ machine, receivedAtMs, status, reason, id }) =>
      `${at(receivedAtMs)} machine ${machine} ${status} ${reason} ${id}`,
  );
  const near = faults
    .filter(({ fromMs, toMs }) => fromMs < startMs + 60_000 && toMs > startMs - 5_000)
    .map(
      ({ kind, machine, how, fromMs, toMs }) =>
        `${kind} ${machine ?? ''} ${how ?? ''} ${at(fromMs)} to ${at(toMs)}`,
    );
  const ended = rows.map(
    ({ id, status, attempts }) => `${id} ${status} ${JSON.stringify(attempts)}`,
  );
  const lines = [
    ...tries,
    ...asked,
    ...pushes.map(({ receivedAtMs }) => `push ${at(receivedAtMs)}`),
  ];
  return [`${call.token}:`, ...lines, ...ended, ...near].join('\n    ');
}

// Everything that was found, as the lines of one timeline, the oldest first.

import { counted } from '../counted.ts';
import type { Evidence } from '../ports/log.ts';
import type { DeliveryWake } from '../ports/receipts.ts';
import { type Gap, type Outage, REPEATED, type Refusal } from '../ports/records.ts';
import type { LoggedDelivery, QuarantineEntry } from '../ports/store.ts';
import { isEndedByStop } from './cause.ts';
import { momentOf, stateOf, timesOf } from './words.ts';

export interface TimelineEntry {
  readonly atMs: number;
  /** One word, or two: `received`, `try 2`, `answered`, `refused`. */
  readonly what: string;
  readonly text: string;
  /** The delivery that it belongs to. */
  readonly deliveryId?: string | undefined;
  /** Of an attempt. */
  readonly attempt?: { readonly number: number; readonly end: string } | undefined;
}

export function timelineOf(evidence: Evidence): readonly TimelineEntry[] {
  const { deliveries, refusals, outages, gaps, quarantined } = evidence;
  const entries = [
    ...deliveries.flatMap(entriesOfDelivery),
    // The delivery counts its repeats itself.
    ...refusals.filter((refusal) => !isOfDelivery(refusal, deliveries)).map(entryOfRefusal),
    ...outages.flatMap((outage) => entriesOfOutage(outage, gaps)),
    ...gaps.flatMap(entriesOfGap),
    ...quarantined.map(entryOfQuarantine),
  ];
  return shorten(entries.toSorted((one, other) => one.atMs - other.atMs));
}

/** Equal attempts of a delivery in a row, from this many on, are its first one, a line, and its last one. */
const MANY_ATTEMPTS = 5;

/** An outage of hours has hundreds of attempts that end alike; the delivery has each of them. */
function shorten(entries: readonly TimelineEntry[]): readonly TimelineEntry[] {
  const runs: TimelineEntry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    if (run !== undefined && isAlike(run.at(-1), entry)) run.push(entry);
    else runs.push([entry]);
  }
  return runs.flatMap((run) => {
    const [first, second] = run;
    const [beforeLast, last] = run.slice(-2);
    if (run.length < MANY_ATTEMPTS || !first || !second || !beforeLast || !last) return run;
    const what = `try ${second.attempt?.number}-${beforeLast.attempt?.number}`;
    const until = momentOf(beforeLast.atMs, second.atMs);
    return [first, { ...second, what, text: `${second.attempt?.end} each, until ${until}` }, last];
  });
}

function isAlike(one: TimelineEntry | undefined, other: TimelineEntry): boolean {
  return (
    other.attempt !== undefined &&
    one?.attempt?.end === other.attempt.end &&
    one.deliveryId === other.deliveryId
  );
}

function isOfDelivery(
  { code, deliveryId }: Refusal,
  deliveries: readonly LoggedDelivery[],
): boolean {
  return (
    code === REPEATED && deliveries.some(({ id, repeats }) => id === deliveryId && repeats > 0)
  );
}

export function entriesOfDelivery(delivery: LoggedDelivery): readonly TimelineEntry[] {
  const { id: deliveryId, provider, receivedAtMs, attempts } = delivery;
  const entries: TimelineEntry[] = [
    { atMs: receivedAtMs, what: 'received', text: callOf(delivery), deliveryId },
    ...attempts.map(({ number, startedAtMs, latencyMs, outcome, reason }) => {
      const end = `${provider}  ${endOf(outcome, reason)}`;
      return {
        atMs: startedAtMs,
        what: `try ${number}`,
        text: `${end} after ${latencyMs} ms`,
        deliveryId,
        attempt: { number, end },
      };
    }),
  ];
  const { told, toldStatus, toldAtMs, repeats, repeatedAtMs, answeredAtMs } = delivery;
  if (told !== undefined && toldAtMs !== undefined) {
    entries.push({
      atMs: toldAtMs,
      what: 'answered',
      text: `${toldStatus ?? ''} ${told}`.trim(),
      deliveryId,
    });
  }
  if (repeatedAtMs !== undefined && repeats > 0) {
    const times = repeats === 1 ? '' : `${timesOf(repeats)} so far, each `;
    const text = `${times}answered 200 duplicate`;
    entries.push({ atMs: repeatedAtMs, what: 'repeated', text, deliveryId });
  }
  if (answeredAtMs !== undefined) {
    entries.push({ atMs: answeredAtMs, what: 'replied', text: 'by the phone', deliveryId });
  }
  if (delivery.wake !== undefined) entries.push(...entriesOfWake(delivery.wake, deliveryId));
  const end = endWithoutAttempt(delivery);
  return end === undefined ? entries : [...entries, end];
}

/** The phone's receipts, and the second push. */
function entriesOfWake(
  { receipts, knockedAtMs, knockOutcome = 'not_sent' }: DeliveryWake,
  deliveryId: string,
): readonly TimelineEntry[] {
  const said = receipts.map(({ atMs, stage, why, n }) => {
    const cause = why === undefined ? '' : ` (${why})`;
    const text = `${stage}${cause}${n === 2 ? ', after the second push' : ''}`;
    return { atMs, what: 'phone', text, deliveryId };
  });
  if (knockedAtMs === undefined) return said;
  const text = `second push  ${knockOutcome}`;
  return [{ atMs: knockedAtMs, what: 'knock', text, deliveryId }, ...said];
}

/** An end without an attempt: the time was over, or the device was deleted. */
function endWithoutAttempt(delivery: LoggedDelivery): TimelineEntry | undefined {
  const { id: deliveryId, status, reason, settledAtMs, attempts } = delivery;
  if (settledAtMs === undefined || attempts.at(-1)?.outcome === status) return undefined;
  const text = reason === undefined ? '' : `${reason}`;
  return { atMs: settledAtMs, what: status, text, deliveryId };
}

function callOf({ source, door, type }: LoggedDelivery): string {
  const route = door === undefined ? undefined : `POST ${door}`;
  return [source, route, type].filter((part) => part !== undefined).join(', ');
}

/** The outcome of an attempt: its reason says more than `retry`. */
function endOf(outcome: string, reason: string | undefined): string {
  if (reason === undefined) return outcome;
  return outcome === 'retry' ? reason : `${outcome} (${reason})`;
}

function entryOfRefusal(refusal: Refusal): TimelineEntry {
  const { code, status, door, source, count, lastAtMs, deliveryId } = refusal;
  const times = count === 1 ? '' : `, ${timesOf(count)} within a minute`;
  const call = [source, door].filter((part) => part !== undefined).join(', ');
  const what = code === REPEATED ? 'repeated' : 'refused';
  return { atMs: lastAtMs, what, text: `${status} ${code} (${call}${times})`, deliveryId };
}

function entriesOfOutage(
  { provider, reason, beganAtMs, endedAtMs }: Outage,
  gaps: readonly Gap[],
): readonly TimelineEntry[] {
  const began = {
    atMs: beganAtMs,
    what: 'outage',
    text: `${provider}  ${stateOf(reason)}: ${reason}`,
  };
  if (endedAtMs === undefined || isEndedByStop({ endedAtMs }, gaps)) return [began];
  return [began, { atMs: endedAtMs, what: 'recovered', text: provider }];
}

function entriesOfGap({ kind, beganAtMs, endedAtMs, unlogged }: Gap): readonly TimelineEntry[] {
  const [what, text, end] =
    kind === 'stopped'
      ? ['stopped', 'nds was not running', 'started']
      : [
          'log stops',
          `the database took no rows; ${counted(unlogged, 'push is', 'pushes are')} not in the log`,
          'log goes on',
        ];
  if (endedAtMs === undefined) {
    const present = kind === 'stopped' ? 'nds is not running' : 'the database takes no rows';
    return [{ atMs: beganAtMs, what, text: present }];
  }
  return [
    { atMs: beganAtMs, what, text },
    { atMs: endedAtMs, what: end, text: '' },
  ];
}

function entryOfQuarantine({
  sinceMs,
  untilMs,
  kind,
  reason,
  provider,
}: QuarantineEntry): TimelineEntry {
  const what = kind === 'throttled' ? 'held' : 'quarantine';
  const until = new Date(untilMs).toISOString().slice(0, 16).replace('T', ' ');
  return { atMs: sinceMs, what, text: `${provider}  ${reason}, until ${until}` };
}

// The answer of `nds find`, and of the page for a support ticket, as a person reads it in 80 columns: the phone or
// user, one timeline, and a sentence.

import type { LoggedDevice } from '../ports/log.ts';
import { REPEATED } from '../ports/records.ts';
import type { LoggedDelivery } from '../ports/store.ts';
import type { FindResult } from './find.ts';
import { lineOfDelivery, lineOfRefusal, shortId } from './lines.ts';
import type { TimelineEntry } from './timeline.ts';
import { dayOf } from './words.ts';
import { onOneLine, wrap } from './wrap.ts';

/** More deliveries than these are one line each. */
export const MAX_IN_FULL = 3;
/** Column of a line's text: after the time and what happened. */
const TEXT_COLUMN = 25;
/** After the mark of one of several deliveries. */
const MARK_COLUMN = 4;

export function textOf(answer: FindResult): string {
  const lines = [
    ...headOf(answer),
    ...(answer.deliveries.length > MAX_IN_FULL ? listOf(answer) : timelineLines(answer)),
    answer.verdict.sentence,
  ];
  return lines.map((line) => `${wrap(line, textColumnOf(line))}\n`).join('');
}

/** Column at which a wrapped line continues. */
function textColumnOf(line: string): number {
  if (/^(?: |\d\d:\d\d:\d\d\.)/.test(line)) return TEXT_COLUMN;
  return line.startsWith('[') ? MARK_COLUMN : 0;
}

function headOf({ asked, found, deliveries, evidence }: FindResult): readonly string[] {
  const { devices } = evidence;
  if (found.length === 0) return [asked];
  const [only, ...others] = deliveries;
  if (only !== undefined && others.length === 0) {
    const { delivery } = only;
    return [`${asked} ${addresseeOf(delivery, devices)}`, `delivery id ${delivery.id}`];
  }
  if (only === undefined) {
    return [asked, ...devices.map((device) => `device ${shortId(device.id)} ${whoHas(device)}`)];
  }
  if (deliveries.length > MAX_IN_FULL) return [`${asked}: ${deliveries.length} deliveries`];
  return [
    asked,
    ...deliveries
      .toReversed()
      .map(
        ({ delivery }, index) =>
          `${markOf(index)} ${delivery.id} ${addresseeOf(delivery, devices)}`,
      ),
  ];
}

function addresseeOf(delivery: LoggedDelivery, devices: readonly LoggedDevice[]): string {
  const { app, platform, deviceId } = delivery;
  const device = devices.find(({ id }) => id === deviceId);
  const user = device?.user === undefined ? '' : `for user ${shortUser(device.user)} `;
  const where = deviceId === undefined ? 'token in the URL' : `device ${shortId(deviceId)}`;
  return `${user}(${app}, ${platform}, ${where})`;
}

function whoHas({ app, platform, user }: LoggedDevice): string {
  return user === undefined
    ? `(${app}, ${platform})`
    : `of user ${shortUser(user)} (${app}, ${platform})`;
}

/** Enough to recognise it, not enough to write to. */
export function shortUser(user: string): string {
  const shown = onOneLine(user);
  return shown.length <= 6 ? shown : `${shown.slice(0, 6)}…`;
}

function markOf(index: number): string {
  return `[${index + 1}]`;
}

/** A line with the date wherever a new day begins. */
function withDays<Item>(
  items: readonly Item[],
  { atMs, line }: { readonly atMs: (item: Item) => number; readonly line: (item: Item) => string },
): readonly string[] {
  let day = '';
  return items.flatMap((item) => {
    const before = day;
    day = dayOf(atMs(item));
    return day === before ? [line(item)] : [`${day} UTC`, line(item)];
  });
}

function timelineLines({ timeline, deliveries }: FindResult): readonly string[] {
  const ids = deliveries.map(({ delivery }) => delivery.id).toReversed();
  const line = (entry: TimelineEntry) => {
    const mark = ids.length < 2 ? -1 : ids.indexOf(entry.deliveryId ?? '');
    const text = mark < 0 ? entry.text : `${markOf(mark)} ${entry.text}`;
    const time = new Date(entry.atMs).toISOString().slice(11, 23);
    return `${time}  ${entry.what.padEnd(10)} ${text}`.trimEnd();
  };
  return withDays(timeline, { atMs: ({ atMs }) => atMs, line });
}

function listOf({ deliveries, evidence }: FindResult): readonly string[] {
  const lines = [
    ...deliveries.map(({ delivery }) => ({
      atMs: delivery.receivedAtMs,
      line: lineOfDelivery(delivery),
    })),
    ...evidence.refusals
      .filter(({ code }) => code !== REPEATED)
      .map((refusal) => ({ atMs: refusal.atMs, line: lineOfRefusal(refusal) })),
  ];
  const inOrder = lines.toSorted((one, other) => one.atMs - other.atMs);
  return withDays(inOrder, { atMs: ({ atMs }) => atMs, line: ({ line }) => line });
}

/** The newest deliveries, for `nds find` without anything to find. */
export function newestAsText(
  deliveries: readonly LoggedDelivery[],
  { isFiltered }: { readonly isFiltered: boolean },
): string {
  if (deliveries.length === 0) {
    return isFiltered ? 'No such delivery is in the log.\n' : 'No delivery is in the log.\n';
  }
  const lines = withDays(deliveries.toReversed(), {
    atMs: ({ receivedAtMs }) => receivedAtMs,
    line: lineOfDelivery,
  });
  return lines.map((line) => `${line}\n`).join('');
}

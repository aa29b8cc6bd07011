// `nds stats`: how many pushes were delivered in a period and how fast, and why the others were not.

import type { Environment } from '../config/config.ts';
import { statisticsAsJson } from '../core/finding/json.ts';
import { readStatistics, type Statistics, type WhyNot } from '../core/finding/statistics.ts';
import { durationOf, momentOf } from '../core/finding/words.ts';
import { createSystemClock } from '../service/system.ts';
import { print } from './print.ts';
import { findLog } from './read-log.ts';
import { serviceNote } from './service-note.ts';

/** Shown if a call was refused before it named an app. */
const NO_APP = 'no app';

export interface StatsOptions {
  readonly sinceMs: number;
  readonly json?: boolean | undefined;
}

/** Returns 0. Reads while the service runs, a page at a time. */
export async function stats(options: StatsOptions, environment: Environment): Promise<number> {
  const log = await findLog(environment).open();
  try {
    const sinceMs = createSystemClock().wallMs() - options.sinceMs;
    const read = await readStatistics(log.countPage, { sinceMs });
    if (options.json === true) print(`${JSON.stringify(statisticsAsJson(read), null, 2)}\n`);
    else print(`${textOf(read, options.sinceMs)}${await serviceNote(environment)}`);
    return 0;
  } finally {
    await log.close();
  }
}

export function textOf(read: Statistics, periodMs: number): string {
  const blocks = [
    [`since ${momentOf(read.sinceMs)} UTC, ${durationOf(periodMs)}`],
    lanesOf(read),
    read.whyNot.length === 0 ? [] : reasonsOf(read.whyNot),
  ];
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => `${line.trimEnd()}\n`).join(''))
    .join('\n');
}

const COLUMNS = ['', 'delivered', 'expired', 'rejected', 'refused', 'queued', 'p50', 'p99'];

/** Refused calls name no provider, so they are counted in a line for their app. */
function lanesOf({ lanes, refused }: Statistics): readonly string[] {
  if (lanes.length === 0 && refused.length === 0) return ['No calls.'];
  const ofLanes = lanes.map(({ app, provider, ...lane }) => [
    `${app}/${provider}`,
    ...[lane.delivered, lane.expired, lane.rejected].map(String),
    '-',
    String(lane.queued),
    ...[lane.p50Ms, lane.p99Ms].map((ms) => (ms === undefined ? '-' : durationOf(ms))),
  ]);
  const ofApps = refused.map(({ app = NO_APP, count }) => [
    ...[app, '-', '-', '-', String(count)],
    ...['-', '-', '-'],
  ]);
  return align([COLUMNS, ...ofLanes, ...ofApps]);
}

function reasonsOf(whyNot: readonly WhyNot[]): readonly string[] {
  const rows = whyNot.map(({ status, reason, app, provider, count, tokens }) => [
    `${status} ${reason}`,
    String(count),
    tokens === 0 ? '-' : String(tokens),
    [app ?? NO_APP, provider].filter((part) => part !== undefined).join('/'),
  ]);
  return align([['why not', 'count', 'tokens', ''], ...rows]);
}

/** Aligns names left and figures right. */
function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const isName = (column: number) => rows[0]?.[column] === '' || column === 0;
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isName(column) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  '),
  );
}

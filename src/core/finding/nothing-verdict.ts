// What to make of it that the log has nothing: since when it is complete, where it has gaps, and what to look at next.

import type { Evidence } from '../ports/log.ts';
import type { Gap } from '../ports/records.ts';
import { isPresentStop } from './cause.ts';
import type { Verdict } from './delivery-verdict.ts';
import { judgeRefusals } from './refusal-verdict.ts';
import { durationOf, momentOf } from './words.ts';

export interface Silence {
  readonly completeSinceMs: number;
  readonly nowMs: number;
  /** The question is a part of an id that is too short to be looked for. */
  readonly isTooShort: boolean;
}

export function judgeNothing(evidence: Evidence, silence: Silence): Verdict {
  const [repeat, ...others] = evidence.refusals;
  if (repeat !== undefined) return judgeRefusals([repeat, ...others], []);
  const { code, sentence } = judgeSilence(evidence, silence);
  const stop = evidence.gaps.find(isPresentStop);
  if (stop === undefined) return { code, sentence };
  const stopped = `nds has not been running since ${momentOf(stop.beganAtMs)}: start it.`;
  return { code, sentence: `${stopped} Until then: ${sentence}` };
}

function judgeSilence(evidence: Evidence, { completeSinceMs, isTooShort }: Silence): Verdict {
  const { devices, quarantined } = evidence;
  const gaps = evidence.gaps.filter(({ endedAtMs = 0 }) => endedAtMs > completeSinceMs);
  const since = `since ${momentOf(completeSinceMs)}${tellGaps(gaps)}`;
  const unlogged = gaps.some(({ kind }) => kind === 'store')
    ? 'it came while no rows were written, '
    : '';
  const [device] = devices;
  const [entry] = quarantined;
  if (entry !== undefined) {
    const { sinceMs, untilMs, reason } = entry;
    const sentence = `No call ${since}; pushes to this token would be refused until ${momentOf(untilMs)}: ${reason} since ${momentOf(sinceMs)}.`;
    return { code: 'quarantined', sentence };
  }
  if (device === undefined) {
    const short = isTooShort
      ? ' A part of a hash or id needs 8 characters or more from its beginning.'
      : '';
    const sentence = `Nothing known about it: no call that names it came ${since}.${short} Either ${unlogged}the caller never called, or it called another address; a call that was refused before it was read is found by its device, user or URL.`;
    return { code: 'nothing_known', sentence };
  }
  if (device.deadSinceMs !== undefined) {
    const sentence = `Never called ${since}; its token has been dead since ${momentOf(device.deadSinceMs)}, so the wallet must register again.`;
    return { code: 'device_dead', sentence };
  }
  const sentence = `Never called ${since}: ${unlogged}the caller has another URL, or did not call; compare its URL with those that \`nds devices show ${device.id} --urls\` prints.`;
  return { code: 'never_called', sentence };
}

const MAX_GAPS_TOLD = 2;

function tellGaps(gaps: readonly Gap[]): string {
  if (gaps.length === 0) return '';
  const told = gaps.slice(-MAX_GAPS_TOLD).map(({ beganAtMs, endedAtMs = beganAtMs, kind }) => {
    const what = kind === 'stopped' ? 'nds did not run' : 'no rows were written';
    return `${durationOf(endedAtMs - beganAtMs)} at ${momentOf(beganAtMs)} (${what})`;
  });
  const more = gaps.length > told.length ? ` and ${gaps.length - told.length} more` : '';
  return `, except for ${told.join(' and ')}${more}`;
}

/** The database takes no rows now. */
export function isOpenGapOfStore({ kind, endedAtMs }: Gap): boolean {
  return kind === 'store' && endedAtMs === undefined;
}

/** Whatever the log says, it ends where the gap began. */
export function withSickStore({ code, sentence }: Verdict, gaps: readonly Gap[]): Verdict {
  const gap = gaps.find(isOpenGapOfStore);
  if (gap === undefined) return { code, sentence };
  return { code, sentence: `${describeSickStore(gap.beganAtMs)} Until then: ${sentence}` };
}

export function describeSickStore(beganAtMs: number): string {
  const since = momentOf(beganAtMs);
  return `The database has taken no rows since ${since} (\`nds doctor\` says why): of pushes that succeeded at once since then only the output has a line, \`delivery_settled\`.`;
}

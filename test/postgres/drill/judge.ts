// The results of the drill: figures, and sentences that name the broken promises.

import { judgeDoubles, zombieRetries } from './doubles.ts';
import type { Drilled } from './drill.ts';
import { falseIn, findAll, hasExpired, lostIn } from './reconcile.ts';

/** What a machine left is sent by another within this time. */
const MAX_TAKEOVER_MS = 8_000;

export interface Judgement {
  readonly figures: Readonly<Record<string, unknown>>;
  /** Empty if every promise was kept. */
  readonly broken: readonly string[];
}

export function judge(drilled: Drilled): Judgement {
  const { calls, faults, rows, pushes } = drilled;
  const all = findAll(drilled);
  const lost = all.flatMap(lostIn);
  const untrue = all.flatMap((found) => falseIn(found, faults));
  const doubles = judgeDoubles(all, drilled);
  const retries = zombieRetries(all, drilled);
  const takeoversMs = faults.flatMap((fault) => fault.takeoversMs);
  const late = takeoversMs.filter((ms) => ms > MAX_TAKEOVER_MS);
  const declaredDead = faults.reduce((sum, fault) => sum + fault.declaredDead, 0);
  const answers = calls.flatMap(({ tries }) => tries.map(({ answer }) => answer));
  const countAnswers = (status: string) =>
    answers.filter((answer) => answer?.status === 200 && answer.body.status === status).length;
  const internal = drilled.counts.internal_fault ?? 0;
  return {
    figures: {
      clocks: drilled.clocks,
      faults: Object.fromEntries(
        Map.groupBy(faults, ({ kind }) => kind)
          .entries()
          .map(([kind, some]) => [kind, some.length]),
      ),
      calls: calls.length,
      calledAgain: calls.filter(({ tries }) => tries.length > 1).length,
      delivered: countAnswers('delivered'),
      queued: countAnswers('queued'),
      duplicate: countAnswers('duplicate'),
      notLogged: answers.filter((answer) => answer?.body.logged === false).length,
      refused: answers.filter((answer) => answer !== undefined && answer.status !== 200).length,
      unanswered: answers.filter((answer) => answer === undefined).length,
      rows: rows.length,
      pushes: pushes.length,
      racesExpired: all.filter(({ call, rows }) => rows.some((row) => hasExpired(call, row)))
        .length,
      ...drilled.counts,
      takeoversMs: spread(takeoversMs),
      doubles: doubles.explained,
      lost: lost.length,
      false: untrue.length,
      unexplained: doubles.unexplained.length,
    },
    broken: [
      ...lost.map((line) => `lost: ${line}`),
      ...untrue.map((line) => `false: ${line}`),
      ...doubles.unexplained.map((line) => `doubled: ${line}`),
      ...retries.map((line) => `retried while cut off: ${line}`),
      ...late.map((ms) => `taken over after ${ms} ms`),
      ...(takeoversMs.length === 0 ? ['no fault left anything to take over'] : []),
      ...(declaredDead === 0 ? [] : [`${declaredDead} machines declared dead by PostgreSQL`]),
      ...(internal === 0 ? [] : [`${internal} faults of our own: internal_fault in the logs`]),
      ...drilled.databaseFaults.map((fault) => `database: ${fault}`),
      ...(drilled.open === 0 ? [] : [`${drilled.open} deliveries never ended`]),
    ],
  };
}

function spread(values: readonly number[]) {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
  return { count: sorted.length, least: at(0), median: at(0.5), most: at(1) };
}

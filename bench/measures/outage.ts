// One provider goes away and comes back: every push that is still useful arrives soon after, and the pushes of the
// other provider do not notice.

import { type BenchRun, differencesMs, type Gateway } from '../bench-run.ts';
import { number } from '../format.ts';
import { Generator } from '../generator.ts';
import { nowUs } from '../monotonic.ts';
import type { Measured } from './measure.ts';

/** 45 s is what a payment of a minute survives: the phone needs the last 8. */
const DOWN_SECONDS = { quick: 4, usual: 45, full: 45 } as const;
const BEFORE_SECONDS = 3;
const AFTER_SECONDS = 6;
const CATCH_UP_SECONDS = 2;
const DOWN_RATE_PER_SECOND = 40;
const OTHER_RATE_PER_SECOND = 200;

export async function measureOutage(run: BenchRun): Promise<Measured> {
  const downSeconds = DOWN_SECONDS[run.options.size];
  return await run.withGateway(async (gateway) => {
    // The same load on both sides, so that the outage is the only difference.
    const calm = await loadBoth(run, gateway, { downSeconds, outage: false });
    const during = await loadBoth(run, gateway, { downSeconds, outage: true });
    const { late, lost } = during;
    const p99 = (time: keyof typeof calm.others) => [
      number(calm.others[time]?.p99),
      number(during.others[time]?.p99),
    ];
    const lastAfterUs = Math.max(0, ...late);
    return {
      tables: [
        {
          title: `FCM down for ${downSeconds} s: refuses connections, open ones are reset`,
          columns: ['', ''],
          rows: [
            ['pushes for it meanwhile', String(during.meanwhile)],
            ['arrived after its return', String(late.length)],
            ['never arrived', String(lost)],
            ['the last of them after its return, s', number(lastAfterUs / 1e6)],
          ],
        },
        {
          title: 'APNs meanwhile: p99 from due to provider, ms',
          columns: ['', 'FCM well', 'FCM down'],
          rows: [
            [`those ${downSeconds} s`, ...p99('meanwhile')],
            [`the ${CATCH_UP_SECONDS} s after, when what waited goes out`, ...p99('afterwards')],
            ['all', ...p99('all')],
          ],
        },
      ],
      data: {
        downSeconds,
        calm: calm.others,
        during: during.others,
        lost,
        late: late.length,
        lastAfterUs,
      },
    };
  });
}

async function loadBoth(
  run: BenchRun,
  { target }: Gateway,
  { downSeconds, outage }: { readonly downSeconds: number; readonly outage: boolean },
) {
  const seconds = BEFORE_SECONDS + downSeconds + AFTER_SECONDS;
  const sets = {
    down: { mix: 'android', ratePerSecond: DOWN_RATE_PER_SECOND },
    other: { mix: 'ios', ratePerSecond: OTHER_RATE_PER_SECOND },
  } as const;
  const [downCount, otherCount] = [sets.down, sets.other].map(
    ({ ratePerSecond }) => ratePerSecond * seconds,
  );
  if (downCount === undefined || otherCount === undefined) throw new Error('two loads are needed');
  const first = run.takeNumbers(downCount + otherCount);
  await run.standIns.watch(first, downCount + otherCount);
  await using second = new Generator();
  const start = (
    generator: Generator,
    set: (typeof sets)[keyof typeof sets],
    from: number,
    count: number,
  ) =>
    generator.run(
      target,
      { kind: 'open', ratePerSecond: set.ratePerSecond },
      { mix: set.mix, count, firstNumber: from },
    );
  const loads = Promise.all([
    start(run.generator, sets.down, first, downCount),
    start(second, sets.other, first + downCount, otherCount),
  ]);
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(BEFORE_SECONDS * 1_000);
  const gone = outage ? await run.standIns.takeDown('fcm') : nowUs();
  await pause(downSeconds * 1_000);
  const back = outage ? await run.standIns.bringUp('fcm') : nowUs();
  const [downLoad, otherLoad] = await loads;
  await pause(2_000);
  const { atUs } = await run.standIns.arrivals();
  const waited = [...downLoad.dueUs].flatMap((dueUs, index) =>
    dueUs > gone && dueUs < back ? [atUs[index] ?? Number.NaN] : [],
  );
  const others = (fromUs: number, untilUs: number) => {
    const isWithin = (dueUs: number) => dueUs > fromUs && dueUs < untilUs;
    const due = otherLoad.dueUs.map((dueUs) => (isWithin(dueUs) ? dueUs : Number.NaN));
    return differencesMs(due, atUs.slice(downCount));
  };
  return {
    meanwhile: waited.length,
    late: waited.filter((at) => !Number.isNaN(at)).map((at) => at - back),
    lost: waited.filter((at) => Number.isNaN(at)).length,
    others: {
      meanwhile: others(gone, back),
      afterwards: others(back, back + CATCH_UP_SECONDS * 1e6),
      all: others(0, Infinity),
    },
  };
}

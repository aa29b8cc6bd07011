// One provider goes away and comes back: every push that is still useful arrives soon after, and the pushes of the
// other provider do not notice.

import { type BenchRun, differencesMs } from '../bench-run.ts';
import { number } from '../format.ts';
import { Generator } from '../generator.ts';
import type { Measured } from './measure.ts';

/** 45 s is what a payment of a minute survives: the phone needs the last 8. */
const DOWN_SECONDS = { quick: 4, usual: 45, full: 45 } as const;
const BEFORE_SECONDS = 3;
const AFTER_SECONDS = 6;
const DOWN_RATE_PER_SECOND = 40;
const OTHER_RATE_PER_SECOND = 200;

export async function measureOutage(run: BenchRun): Promise<Measured> {
  const downSeconds = DOWN_SECONDS[run.options.size];
  const seconds = BEFORE_SECONDS + downSeconds + AFTER_SECONDS;
  return await run.withGateway(async (gateway) => {
    const calm = await run.load(
      gateway,
      { kind: 'open', ratePerSecond: OTHER_RATE_PER_SECOND },
      { mix: 'ios', count: OTHER_RATE_PER_SECOND * seconds },
    );
    const during = await loadBoth(run, gateway, { downSeconds, seconds });
    const { back, late, lost, others } = during;
    return {
      tables: [
        {
          title: `FCM down for ${downSeconds} s: refuses connections, open ones are reset`,
          columns: ['', ''],
          rows: [
            ['pushes for it meanwhile', String(during.meanwhile)],
            ['arrived after its return', String(late.length)],
            ['never arrived', String(lost)],
            ['the last of them after its return, s', number(Math.max(0, ...late) / 1e6)],
            ['the other provider’s p99 to it, calm, ms', number(calm.toProviderMs?.p99)],
            ['the other provider’s p99 to it, outage, ms', number(others?.p99)],
          ],
        },
      ],
      data: {
        downSeconds,
        calm,
        others,
        back,
        lost,
        late: late.length,
        lastAfterUs: Math.max(0, ...late),
      },
    };
  });
}

async function loadBoth(
  run: BenchRun,
  { target }: Parameters<BenchRun['load']>[0],
  { downSeconds, seconds }: { readonly downSeconds: number; readonly seconds: number },
) {
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
  const gone = await run.standIns.takeDown('fcm');
  await pause(downSeconds * 1_000);
  const back = await run.standIns.bringUp('fcm');
  const [downLoad, otherLoad] = await loads;
  await pause(2_000);
  const { atUs } = await run.standIns.arrivals();
  const waited = [...downLoad.dueUs].flatMap((dueUs, index) =>
    dueUs > gone && dueUs < back ? [atUs[index] ?? Number.NaN] : [],
  );
  return {
    back,
    meanwhile: waited.length,
    late: waited.filter((at) => !Number.isNaN(at)).map((at) => at - back),
    lost: waited.filter((at) => Number.isNaN(at)).length,
    others: differencesMs(otherLoad.dueUs, atUs.slice(downCount)),
  };
}

// An outage of FCM with 1, 10 and 1,000 payments waiting: what is refused, what arrives after the outage and how soon,
// and what was accepted and never arrives.

import type { Outage } from '../../sandbox/sandbox.ts';
import { number } from '../format.ts';
import type { BenchRun, Gateway } from '../run.ts';
import type { Measured } from './measure.ts';

const WAITING = [1, 10, 1_000] as const;
/** The calls come in the first third of it. */
const SECONDS = { quick: 4, usual: 14, full: 40 } as const;
const KINDS: Readonly<Record<'quick' | 'usual' | 'full', readonly Outage['kind'][]>> = {
  quick: ['refused'],
  usual: ['refused', 'status_503'],
  full: ['refused', 'status_503', 'reset_connection', 'hang'],
};
/** A payment's minute: a push that arrives later is useless, and waiting for a gateway that tries longer ends here. */
const ARRIVAL_TIMEOUT_MS = 60_000;
/** Between two outages, so that the gateway notices that the provider works again. */
const REST_MS = 3_000;

export async function measureOutage(run: BenchRun): Promise<Measured> {
  const seconds = SECONDS[run.options.size];
  const outages = await run.withGateway(async (gateway) => {
    const measured = [];
    for (const kind of KINDS[run.options.size]) {
      for (const waiting of WAITING) {
        measured.push({ kind, waiting, ...(await outage(run, gateway, { kind, waiting })) });
      }
    }
    return measured;
  });
  return {
    tables: [
      {
        title: `FCM away for ${seconds} s, Android alone`,
        columns: [
          'outage',
          'calls',
          'accepted',
          'refused',
          'lost',
          'sent twice',
          'last after its return, s',
          'answer p50, ms',
          'max',
        ],
        rows: outages.map(({ kind, result, lastAfterMs }) => [
          kind,
          String(result.calls),
          String(result.accepted),
          String(result.refused + result.broken),
          String(result.lost),
          String(result.repeated),
          number(lastAfterMs / 1e3),
          number(result.toAnswerMs?.p50),
          number(result.toAnswerMs?.max),
        ]),
        note: '"refused" is any answer that is not 200, and none; "lost" was answered 200 and did not arrive in 60 s.',
      },
    ],
    data: { seconds, outages },
  };
}

async function outage(
  run: BenchRun,
  gateway: Gateway,
  { kind, waiting }: { readonly kind: Outage['kind']; readonly waiting: number },
) {
  const seconds = SECONDS[run.options.size];
  const pattern = { kind: 'open', ratePerSecond: Math.max(1, waiting / (seconds / 3)) } as const;
  await run.standIns.startOutage('fcm', kind);
  const over = new Promise<number>((resolve, reject) => {
    setTimeout(() => run.standIns.endOutage('fcm').then(resolve, reject), seconds * 1_000);
  });
  const calls = { mix: 'android', count: waiting, arrivalTimeoutMs: ARRIVAL_TIMEOUT_MS } as const;
  const [result, backUs] = await Promise.all([run.load(gateway, pattern, calls), over]);
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  return { result, lastAfterMs: (result.lastPushUs - backUs) / 1e3 };
}

// What events cost pushes: 100 pushes a second without an endpoint, with one that takes an event of each push, and with
// one that is dead while its events pile up. The three services run side by side and take turns of 2 s, so that a noisy
// moment of the machine affects all of them; the median of many turns is shown.

import { z } from 'zod';
import { type Child, startChild } from '../child.ts';
import { number, ratio } from '../format.ts';
import type { BenchRun, Gateway, LoadResult } from '../run.ts';
import { freePort } from '../service.ts';
import { median, percentile } from '../statistics.ts';
import type { Measured } from './measure.ts';

const ENDPOINTS = ['none', 'healthy', 'dead'] as const;
type Endpoint = (typeof ENDPOINTS)[number];

const TURNS = { quick: 5, usual: 25, full: 60 } as const;
const PATTERN = { kind: 'open', ratePerSecond: 100 } as const;
const CALLS = { mix: 'android', count: 200 } as const;
/** If no event arrived for this long, all earlier events are at the backend. */
const QUIET_MS = 1_000;
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

interface Turn {
  readonly endpoint: Endpoint;
  readonly result: LoadResult;
}

interface Subject {
  readonly endpoint: Endpoint;
  readonly gateway: Gateway;
}

export async function measureEvents(run: BenchRun): Promise<Measured> {
  await using backend = startChild(new URL('../backend/main.ts', import.meta.url));
  const port = await backend.call({ kind: 'listen' }, z.int());
  let events = 0;
  const turns = await withAll(run, port, async (subjects) => {
    const before = await quiet(backend);
    const measured: Turn[] = [];
    for (let turn = 0; turn < TURNS[run.options.size]; turn += 1) {
      const first = turn % subjects.length;
      for (const { endpoint, gateway } of [...subjects.slice(first), ...subjects.slice(0, first)]) {
        measured.push({ endpoint, result: await run.load(gateway, PATTERN, CALLS) });
      }
    }
    events = (await quiet(backend)) - before;
    return measured;
  });
  const of = (endpoint: Endpoint) => turns.filter((one) => one.endpoint === endpoint);
  /** The ratio within each pair of turns that were next to each other in time. */
  const p99Ratios = (endpoint: Endpoint) =>
    of(endpoint).map(({ result }, index) => {
      const bare = of('none')[index]?.result.toProviderMs?.p99 ?? NaN;
      return (result.toProviderMs?.p99 ?? NaN) / bare;
    });
  const middle = (endpoint: Endpoint, pick: (result: LoadResult) => number | undefined) =>
    median(of(endpoint).map((one) => pick(one.result) ?? NaN));
  const cost = (endpoint: Endpoint) => middle(endpoint, ({ cpuUsPerPush }) => cpuUsPerPush);
  const ways = [
    ({ toProviderMs }: LoadResult) => toProviderMs?.p50,
    ({ toProviderMs }: LoadResult) => toProviderMs?.p99,
    ({ toAnswerMs }: LoadResult) => toAnswerMs?.p50,
    ({ toAnswerMs }: LoadResult) => toAnswerMs?.p99,
  ];
  return {
    tables: [
      {
        title: 'Events: 100 pushes a second, Android, an event of each (delivery.delivered)',
        columns: [
          'endpoint',
          'CPU µs/push',
          'ratio',
          '→ provider p50',
          'p99, ms',
          '→ answer p50',
          'p99, ms',
          'p99 to none',
          'quartiles',
        ],
        rows: ENDPOINTS.map((endpoint) => [
          endpoint,
          number(cost(endpoint)),
          ratio(cost(endpoint) / cost('none')),
          ...ways.map((way) => number(middle(endpoint, way))),
          ratio(median(p99Ratios(endpoint))),
          [25, 75].map((percent) => ratio(percentile(p99Ratios(endpoint), percent))).join(' – '),
        ]),
        note: `Medians of ${TURNS[run.options.size]} turns of ${CALLS.count} calls. The healthy one got ${events} events; nobody listens at the dead one. "p99 to none" compares, to the provider, turns beside each other in time.`,
      },
    ],
    data: { turns, events },
  };
}

/** Runs `task` with a service for each endpoint, all of them warm. */
async function withAll<Result>(
  run: BenchRun,
  port: number,
  task: (subjects: readonly Subject[]) => Promise<Result>,
  subjects: readonly Subject[] = [],
): Promise<Result> {
  const endpoint = ENDPOINTS[subjects.length];
  if (endpoint === undefined) return await task(subjects);
  const environment = await environmentOf(endpoint, port);
  const next = (gateway: Gateway) => withAll(run, port, task, [...subjects, { endpoint, gateway }]);
  return await run.withFresh('nds', next, { environment });
}

async function environmentOf(
  endpoint: Endpoint,
  healthyPort: number,
): Promise<Readonly<Record<string, string>>> {
  if (endpoint === 'none') return {};
  const port = endpoint === 'healthy' ? healthyPort : await freePort();
  const asked = { enabled_events: ['delivery.delivered'], secret: SECRET };
  return {
    NDS_ENDPOINT_NETWORKS: '127.0.0.0/8',
    NDS_ENDPOINTS: JSON.stringify([{ name: 'bench', url: `http://127.0.0.1:${port}/`, ...asked }]),
  };
}

/** How many events arrived in total, once no more arrive. */
async function quiet(backend: Child): Promise<number> {
  const count = () => backend.call({ kind: 'count' }, z.int());
  for (let before = await count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = await count();
    if (now === before) return now;
    before = now;
  }
}

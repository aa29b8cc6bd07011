// What events cost pushes: 100 pushes a second without an endpoint, with one that takes an event of each push, and with one
// that is dead while its events pile up. Fresh processes take turns.

import { z } from 'zod';
import { type Child, startChild } from '../child.ts';
import { number, percent, ratio } from '../format.ts';
import type { BenchRun, LoadResult } from '../run.ts';
import { freePort } from '../service.ts';
import { median, spread } from '../statistics.ts';
import type { Measured } from './measure.ts';

const ENDPOINTS = ['none', 'healthy', 'dead'] as const;
type Endpoint = (typeof ENDPOINTS)[number];

const ROUNDS = { quick: 1, usual: 3, full: 5 } as const;
const CALLS = { quick: 500, usual: 2_000, full: 6_000 } as const;
const PATTERN = { kind: 'open', ratePerSecond: 100 } as const;
/** The events of the warm-up are at the backend before what is measured begins. */
const QUIET_MS = 1_000;
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;

interface Sample {
  readonly endpoint: Endpoint;
  readonly result: LoadResult;
  /** Events of what was measured. */
  readonly events: number;
}

export async function measureEvents(run: BenchRun): Promise<Measured> {
  await using backend = startChild(new URL('../backend/main.ts', import.meta.url));
  const port = await backend.call({ kind: 'listen' }, z.int());
  const samples: Sample[] = [];
  for (let round = 0; round < ROUNDS[run.options.size]; round += 1) {
    for (const endpoint of ENDPOINTS) {
      const environment = await environmentOf(endpoint, port);
      samples.push(await sample(run, backend, { endpoint, environment }));
    }
  }
  const of = (endpoint: Endpoint) => samples.filter((one) => one.endpoint === endpoint);
  const cost = (endpoint: Endpoint) => of(endpoint).map(({ result }) => result.cpuUsPerPush);
  const bare = median(cost('none'));
  return {
    tables: [
      {
        title: 'Events: 100 pushes a second, Android, an event of each (delivery.delivered)',
        columns: [
          'endpoint',
          'CPU µs/push',
          'ratio',
          'spread',
          '→ provider p50',
          'p99, ms',
          '→ answer p50',
          'p99, ms',
          'events',
        ],
        rows: ENDPOINTS.map((endpoint) => {
          const middle = (pick: (result: LoadResult) => number | undefined) =>
            number(median(of(endpoint).map(({ result }) => pick(result) ?? Number.NaN)));
          return [
            endpoint,
            number(median(cost(endpoint))),
            ratio(median(cost(endpoint)) / bare),
            percent(spread(cost(endpoint))),
            middle(({ toProviderMs }) => toProviderMs?.p50),
            middle(({ toProviderMs }) => toProviderMs?.p99),
            middle(({ toAnswerMs }) => toAnswerMs?.p50),
            middle(({ toAnswerMs }) => toAnswerMs?.p99),
            number(median(of(endpoint).map(({ events }) => events))),
          ];
        }),
        note: 'Medians of the rounds. Nobody listens at the dead one; its events pile up in the table.',
      },
    ],
    data: { rounds: ROUNDS[run.options.size], samples },
  };
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

async function sample(
  run: BenchRun,
  backend: Child,
  given: { readonly endpoint: Endpoint; readonly environment: Readonly<Record<string, string>> },
): Promise<Sample> {
  const task = async (gateway: Parameters<BenchRun['load']>[0]) => {
    const before = await quiet(backend);
    const calls = { mix: 'android', count: CALLS[run.options.size] } as const;
    const result = await run.load(gateway, PATTERN, calls);
    return { result, events: (await quiet(backend)) - before };
  };
  const measured = await run.withFresh('nds', task, { environment: given.environment });
  return { endpoint: given.endpoint, ...measured };
}

/** How many events came in all, once no more come. */
async function quiet(backend: Child): Promise<number> {
  const count = () => backend.call({ kind: 'count' }, z.int());
  for (let before = await count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = await count();
    if (now === before) return now;
    before = now;
  }
}

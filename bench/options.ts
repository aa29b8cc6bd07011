// The arguments of `npm run bench`.

import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Api } from './load/calls.ts';

export const MEASURES = [
  'cost',
  'rates',
  'latency',
  'burst',
  'memory',
  'cold-start',
  'log',
  'round-trip',
  'outage',
  'profile',
] as const;
export type MeasureName = (typeof MEASURES)[number];

/** How long a run may take: under two minutes, some minutes, or as the targets are stated (half an hour). */
export type Size = 'quick' | 'usual' | 'full';

/** Another gateway, which somebody has started and which pushes to the same stand-ins. */
export interface Foreign {
  readonly host: '127.0.0.1' | '::1' | 'localhost';
  readonly port: number;
  readonly pid: number;
  readonly api: Api;
}

export interface Options {
  readonly size: Size;
  readonly measures: readonly MeasureName[];
  readonly foreign: Foreign | undefined;
  readonly outputFile: string;
}

export const HELP = `Measures the service against stand-ins of APNs and FCM on this machine.

  --quick             under two minutes; good for a first look, not for comparing
  --full              as the targets are stated: five rounds, 10 minutes of load, 1 million rows
  --only a,b          some of: ${MEASURES.join(', ')}
  --profile           CPU and heap profiles of the service to bench/results, and its budget by stage
  --out FILE          the JSON file; default bench/results/latest.json
  --target URL        measure the gateway at this address instead: http://127.0.0.1:8088
  --pid N             the process of that gateway
  --api breez|gorush  its API; default breez
  --help`;

/** What another gateway is not asked, because it would need to be started or opened by us. */
const OWN_ONLY: ReadonlySet<MeasureName> = new Set<MeasureName>(['cold-start', 'log', 'profile']);
const DEFAULT_OUTPUT = 'bench/results/latest.json';

const measureList = z
  .string()
  .transform((list) => list.split(','))
  .pipe(z.array(z.enum(MEASURES)));
const localHost = z.enum(['127.0.0.1', '::1', 'localhost'], 'only this machine is measured');
const foreignSchema = z.object({
  target: z.url({ protocol: /^http$/ }),
  pid: z.coerce.number().int().min(2),
  api: z.enum(['breez', 'gorush']),
});

/** Throws an error that says what is wrong with the arguments; `undefined` if only help is wanted. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      only: { type: 'string' },
      profile: { type: 'boolean', default: false },
      out: { type: 'string', default: DEFAULT_OUTPUT },
      target: { type: 'string' },
      pid: { type: 'string' },
      api: { type: 'string', default: 'breez' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  const foreign = parseForeign(values);
  const size = values.quick ? 'quick' : values.full ? 'full' : 'usual';
  const measures = chosenMeasures(values).filter((name) => !(foreign && OWN_ONLY.has(name)));
  return { size, measures, foreign, outputFile: values.out };
}

function chosenMeasures(values: {
  readonly only?: string | undefined;
  readonly profile: boolean;
}): readonly MeasureName[] {
  const plain = MEASURES.filter((name) => name !== 'profile');
  if (values.only !== undefined) return measureList.parse(values.only);
  return values.profile ? ['profile'] : plain;
}

function parseForeign(values: {
  readonly target?: string | undefined;
  readonly pid?: string | undefined;
  readonly api: string;
}): Foreign | undefined {
  if (values.target === undefined) return undefined;
  const { target, pid, api } = foreignSchema.parse(values);
  const url = new URL(target);
  const host = localHost.parse(url.hostname.replace(/^\[|\]$/g, ''));
  return { host, port: Number(url.port || 80), pid, api };
}

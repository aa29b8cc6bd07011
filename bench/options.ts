// The arguments of `npm run bench`.

import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Api } from './load/calls.ts';
import type { Addresses } from './stand-ins.ts';

export const MEASURES = [
  'cost',
  'burst',
  'memory',
  'cold-start',
  'log',
  'outage',
  'events',
  'postgres',
] as const;
export type MeasureName = (typeof MEASURES)[number];

/** Not measured unless it is named: npm fetches PostgreSQL for it. */
const ON_REQUEST: MeasureName = 'postgres';

/** How long a run may take: two minutes, a quarter of an hour, or an hour. */
export type Size = 'quick' | 'usual' | 'full';

/** Another gateway, which the user starts and which pushes to the same stand-ins. */
export interface Foreign {
  readonly host: '127.0.0.1' | '::1' | 'localhost';
  readonly port: number;
  /** Its process id; absent: the process that listens on the port. */
  readonly pid: number | undefined;
  readonly api: Api;
  readonly standIns: Addresses;
}

export interface Options {
  readonly size: Size;
  readonly measures: readonly MeasureName[];
  readonly foreign: Foreign | undefined;
  readonly outputFile: string;
}

export const HELP = `Measures the service against stand-ins of APNs and FCM on this machine.

  --quick             two minutes; good for a first look, not for comparing
  --full              five rounds, longer outages
  --only a,b          some of: ${MEASURES.join(', ')}; ${ON_REQUEST} only if it is named
  --out FILE          the JSON file; default bench/results/latest.json
  --target URL        measure the gateway at this address instead: http://127.0.0.1:8088
  --pid N             its process; default: the one that listens on that port
  --api breez|gorush  its API; default breez
  --apns ADDRESS      where the stand-ins listen for it; default 127.0.0.1:9197
  --fcm ADDRESS       the same for FCM and Google's token endpoint; default 127.0.0.1:9198
  --help`;

/** Measurements not made of another gateway, because the benchmark would have to start, open or configure it. */
const OWN_ONLY: ReadonlySet<MeasureName> = new Set<MeasureName>([
  'cold-start',
  'log',
  'events',
  'postgres',
]);
const DEFAULT_OUTPUT = 'bench/results/latest.json';

const measureList = z
  .string()
  .transform((list) => list.split(','))
  .pipe(z.array(z.enum(MEASURES)));
const localHost = z.enum(['127.0.0.1', '::1', 'localhost'], 'only this machine is measured');
const address = z.string().regex(/^127(\.\d{1,3}){3}:\d{1,5}$/, 'a loopback address and a port');
const foreignSchema = z.object({
  target: z.url({ protocol: /^http$/ }),
  pid: z.coerce.number().int().min(2).optional(),
  api: z.enum(['breez', 'gorush']),
  apns: address,
  fcm: address,
});

/** Throws an error that says what is wrong with the arguments; `undefined` if only help was asked for. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      only: { type: 'string' },
      out: { type: 'string', default: DEFAULT_OUTPUT },
      target: { type: 'string' },
      pid: { type: 'string' },
      api: { type: 'string', default: 'breez' },
      apns: { type: 'string', default: '127.0.0.1:9197' },
      fcm: { type: 'string', default: '127.0.0.1:9198' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  const foreign = values.target === undefined ? undefined : parseForeign(values);
  const size = values.quick ? 'quick' : values.full ? 'full' : 'usual';
  const usual = MEASURES.filter((name) => name !== ON_REQUEST);
  const chosen = values.only === undefined ? usual : measureList.parse(values.only);
  const measures = chosen.filter((name) => foreign === undefined || !OWN_ONLY.has(name));
  return { size, measures, foreign, outputFile: values.out };
}

function parseForeign(values: unknown): Foreign {
  const { target, pid, api, apns, fcm } = foreignSchema.parse(values);
  const url = new URL(target);
  const host = localHost.parse(url.hostname.replace(/^\[|\]$/g, ''));
  return { host, port: Number(url.port || 80), pid, api, standIns: { apns, fcm } };
}

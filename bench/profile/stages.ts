// To which part of the service the time in a CPU profile belongs.

import { z } from 'zod';

const frame = z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() });
const schema = z.object({
  nodes: z.array(
    z.object({ id: z.int(), callFrame: frame, children: z.array(z.int()).optional() }),
  ),
  /** µs of the monotonic clock. */
  startTime: z.number(),
  samples: z.array(z.int()),
  timeDeltas: z.array(z.number()),
});

export type CpuProfile = z.output<typeof schema>;
type ProfileNode = CpuProfile['nodes'][number];

export function parseProfile(text: string): CpuProfile {
  return schema.parse(JSON.parse(text));
}

/** The first pattern that a file's address has decides; what none has belongs to its caller. */
const STAGES: readonly (readonly [RegExp, string])[] = [
  [/\/src\/http\/|\/node_modules\/(@hono|hono)\/|^node:_http|^node:internal\/http$/, 'HTTP in'],
  [/\/src\/sources\/|\/node_modules\/zod\//, 'parse'],
  [/\/src\/system\.ts/, 'ids and fingerprints'],
  [/\/src\/core\/|\/src\/lanes\.ts/, 'core'],
  [
    /\/src\/providers\/(transport|http2)\/|^node:(internal\/)?http2|^node:internal\/tls|^node:_tls/,
    'transport',
  ],
  [/\/src\/providers\/|node-apn|firebase-admin|google-auth/, 'payload and answer'],
  [/\/src\/stores\/|better-sqlite3|^node:internal\/worker|^node:internal\/per_context/, 'store'],
  [/\/src\/observe\/|\/node_modules\/(pino|sonic-boom|atomic-sleep)/, 'logging'],
];
const GARBAGE = 'garbage collection';
const NATIVE = 'native, not attributed';
const REST = 'rest of Node';
const IDLE = '(idle)';

export interface StageTime {
  readonly stage: string;
  readonly us: number;
}

export interface FunctionTime {
  readonly stage: string;
  readonly name: string;
  readonly us: number;
}

export interface Breakdown {
  readonly stages: readonly StageTime[];
  /** Self time by function, dearest first. */
  readonly functions: readonly FunctionTime[];
}

/** Adds up the self time between two moments, µs of the monotonic clock; idle time is left out. */
export function breakDown(profile: CpuProfile, fromUs: number, untilUs: number): Breakdown {
  const stageOf = createStageLookup(profile);
  const selfUs = selfTimes(profile, fromUs, untilUs);
  const stages = new Map<string, number>();
  const functions = new Map<string, FunctionTime>();
  for (const node of profile.nodes) {
    const us = selfUs.get(node.id) ?? 0;
    if (us === 0 || node.callFrame.functionName === IDLE) continue;
    const stage = stageOf(node);
    stages.set(stage, (stages.get(stage) ?? 0) + us);
    const name = nameOf(node);
    const key = `${stage}\n${name}`;
    functions.set(key, { stage, name, us: (functions.get(key)?.us ?? 0) + us });
  }
  const byTime = (one: { us: number }, other: { us: number }) => other.us - one.us;
  return {
    stages: [...stages].map(([stage, us]) => ({ stage, us })).sort(byTime),
    functions: [...functions.values()].sort(byTime),
  };
}

function selfTimes(profile: CpuProfile, fromUs: number, untilUs: number): Map<number, number> {
  const selfUs = new Map<number, number>();
  let atUs = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const deltaUs = profile.timeDeltas[index] ?? 0;
    atUs += deltaUs;
    if (atUs < fromUs || atUs > untilUs) continue;
    selfUs.set(id, (selfUs.get(id) ?? 0) + deltaUs);
  }
  return selfUs;
}

function createStageLookup(profile: CpuProfile): (node: ProfileNode) => string {
  const parents = new Map<number, ProfileNode>();
  for (const node of profile.nodes) {
    for (const child of node.children ?? []) parents.set(child, node);
  }
  return (node) => {
    const { functionName } = node.callFrame;
    if (functionName === '(garbage collector)') return GARBAGE;
    if (functionName === '(program)') return NATIVE;
    for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id)) {
      const { url } = at.callFrame;
      const found = STAGES.find(([pattern]) => pattern.test(url));
      if (found !== undefined) return found[1];
    }
    return REST;
  };
}

function nameOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.replace(/^.*\/(node_modules|src)\//, '$1/');
  return `${functionName === '' ? '(anonymous)' : functionName} ${file}:${lineNumber + 1}`;
}

// `npm run drill:postgres -- --nodes 3 --kills 20`. Exits with 1 if a promise was broken.

import { parseArgs } from 'node:util';
import { drill } from './drill.ts';
import { judge } from './judge.ts';

const HELP = `Kills and cuts off machines over one PostgreSQL, and says whether a promise was broken.

  --nodes <number>   machines (default 3, at least 2)
  --kills <number>   how often a machine or PostgreSQL is killed (default 20); a fifth as many machines are stopped
                     for 10 s, and as many cut off from PostgreSQL
  --calls <number>   calls a second (default 30)
  --seed <number>    repeats what an earlier run did (default: by chance)
  --logs <folder>    keeps there what the machines log`;

function parseCount(name: string, text: string, least: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) >= least) return Number(text);
  throw new Error(`--${name} must be a whole number from ${least} on`);
}

const ends: (() => Promise<void> | void)[] = [];
try {
  const { values } = parseArgs({
    options: {
      nodes: { type: 'string', default: '3' },
      kills: { type: 'string', default: '20' },
      calls: { type: 'string', default: '30' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      logs: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) console.log(HELP);
  else {
    const seed = parseCount('seed', values.seed, 0);
    console.log(`seed ${seed}`);
    const drilled = await drill({
      nodes: parseCount('nodes', values.nodes, 2),
      kills: parseCount('kills', values.kills, 1),
      callsPerSecond: parseCount('calls', values.calls, 1),
      seed,
      logs: values.logs,
      onEnd: (end) => void ends.push(end),
      tell: (line) => console.log(`${new Date().toISOString()} ${line}`),
    });
    const { figures, broken } = judge(drilled);
    console.log(figures);
    for (const line of broken) console.log(`BROKEN ${line}`);
    if (broken.length > 0) process.exitCode = 1;
    else console.log('every promise was kept');
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  for (const end of ends.reverse()) await end();
}

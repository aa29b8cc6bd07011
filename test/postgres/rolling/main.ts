// `npm run drill:rolling`: restarts three machines in turn under load. Exits with 1 if a call was not answered 200.

import { parseArgs } from 'node:util';
import { installServers, makeServer } from '../server.ts';
import { faultsOf } from './faults.ts';
import { roll } from './roll.ts';

const HELP = `Restarts machines in turn by SIGTERM, over one PostgreSQL, while callers call through a proxy that repeats nothing.

  --calls <number>     how many calls (default 10000)
  --rate <number>      of them a second (default 500)
  --machines <number>  default 3
  --drain <seconds>    NDS_DRAIN (default 3)`;

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text)) return Number(text);
  throw new Error(`--${name} must be a whole number, 1 or more`);
}

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '500' },
    machines: { type: 'string', default: '3' },
    drain: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

async function run(): Promise<number> {
  const options = {
    calls: wholeNumber('calls', values.calls),
    ratePerSecond: wholeNumber('rate', values.rate),
    machines: wholeNumber('machines', values.machines),
    drainMs: wholeNumber('drain', values.drain) * 1_000,
    checkEveryMs: 500,
    askEveryMs: 200,
    onStep: (step: string) => console.log(step),
  };
  await installServers();
  const server = await makeServer(18);
  try {
    const rolled = await roll({ ...options, databaseUrl: server.url });
    console.log(JSON.stringify(rolled, null, 2));
    const faults = faultsOf(rolled);
    console.log(faults.length === 0 ? 'No call was lost.' : faults.join('\n'));
    return faults.length === 0 ? 0 : 1;
  } finally {
    await server.remove();
  }
}

if (values.help) console.log(HELP);
else process.exitCode = await run();

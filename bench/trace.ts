// `npm run trace`: how many of our files one POST runs through on the main thread, by V8's precise coverage. Prints
// them, and fails above a limit.

import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { startSandbox } from '../sandbox/sandbox.ts';
import { paymentHash, tokenOf } from './numbering.ts';
import { type RunningService, startService } from './service.ts';
import { median } from './statistics.ts';

const CALLS = 100;
const PHONES = 1_000;
const HELP = `Traces one POST through the service's main thread, calls 2 to ${CALLS}.

  --max N             exit with 1 if the median of files is above N
  --phones android|ios   default android
  --help`;

const tracedSchema = z.object({ files: z.array(z.string()) });

async function post(port: number, path: string, body: string, agent: Agent): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const options = { host: '127.0.0.1', port, method: 'POST', path, headers, agent };
  const outgoing = request(options).end(body);
  const [answer] = await once(outgoing, 'response');
  answer.resume();
  await once(answer, 'end');
  if (answer.statusCode !== 200) throw new Error(`the service answered ${answer.statusCode}`);
}

/** Makes one call after the other; returns the files of each. */
async function traceCalls(
  service: RunningService,
  platform: 'android' | 'ios',
): Promise<readonly (readonly string[])[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const traced: (readonly string[])[] = [];
  for (let number = 1; number <= CALLS; number += 1) {
    const told = once(service.process, 'message');
    const token = encodeURIComponent(tokenOf(number, platform, PHONES));
    const body = `{"template":"payment_received","data":{"payment_hash":"${paymentHash(number)}"}}`;
    await post(service.port, `/api/v1/notify?platform=${platform}&token=${token}`, body, agent);
    traced.push(tracedSchema.parse((await told)[0]).files);
  }
  agent.destroy();
  return traced.slice(1);
}

async function trace(platform: 'android' | 'ios'): Promise<number> {
  const sandbox = await startSandbox();
  try {
    const { ca, apns, fcm } = sandbox;
    const hook = new URL('./trace/coverage.ts', import.meta.url).href;
    await using service = await startService({
      standIns: { ca, apns, fcm: { ...fcm, serviceAccount: { ...fcm.serviceAccount } } },
      nodeOptions: ['--import', hook],
      ipc: true,
    });
    const calls = await traceCalls(service, platform);
    const files = Map.groupBy(calls.flat(), (file) => file);
    const often = [...files].sort(([one, ones], [other, others]) => {
      return others.length - ones.length || one.localeCompare(other);
    });
    for (const [file, { length }] of often) {
      process.stdout.write(`${String(length).padStart(4)} of ${calls.length}  src/${file}\n`);
    }
    return median(calls.map(({ length }) => length));
  } finally {
    await sandbox.close();
  }
}

const { values } = parseArgs({
  options: {
    max: { type: 'string' },
    phones: { type: 'string', default: 'android' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else {
  const max = z.coerce.number().int().min(1).optional().parse(values.max);
  const count = await trace(z.enum(['android', 'ios']).parse(values.phones));
  process.stdout.write(`\n${count} files in the median of calls 2 to ${CALLS}\n`);
  if (max !== undefined && count > max) {
    process.stderr.write(`more than the ${max} that are allowed\n`);
    process.exitCode = 1;
  }
}

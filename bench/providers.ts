// The process of the stand-ins for APNs and FCM. Records when each push arrived, and changes how they behave.

import { resolve } from 'node:path';
import { z } from 'zod';
import { loadIdentity, writeCredentials } from '../sandbox/identity-store.ts';
import { outageSchema } from '../sandbox/outage.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { serveParent } from './child.ts';
import { nowUs } from './monotonic.ts';
import { numberIn } from './numbering.ts';

const HTTPS_PORT = 443;
const provider = z.enum(['apns', 'fcm']);
const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('describe') }),
  /** Records arrivals of the pushes with these numbers from now on. */
  z.object({
    kind: z.literal('watch'),
    firstNumber: z.int(),
    count: z.int().min(1).max(10_000_000),
  }),
  z.object({ kind: z.literal('progress') }),
  z.object({ kind: z.literal('arrivals') }),
  /** Takes every push at once and answers it later. */
  z.object({ kind: z.literal('delay'), delayMs: z.int().min(0) }),
  z.object({ kind: z.literal('outage'), provider, outage: outageSchema }),
  z.object({ kind: z.literal('outage_over'), provider }),
]);

interface Watch {
  readonly firstNumber: number;
  /** By number; NaN until it has arrived. */
  readonly atUs: Float64Array;
  arrived: number;
  repeated: number;
  lastAtUs: number;
}

function startWatch(firstNumber: number, count: number): Watch {
  const atUs = new Float64Array(count).fill(Number.NaN);
  return { firstNumber, atUs, arrived: 0, repeated: 0, lastAtUs: 0 };
}

function note(watch: Watch, payload: string): void {
  const number = numberIn(payload);
  if (number === undefined) return;
  const index = number - watch.firstNumber;
  const known = watch.atUs[index];
  if (known === undefined) return;
  if (!Number.isNaN(known)) {
    watch.repeated += 1;
    return;
  }
  watch.lastAtUs = nowUs();
  watch.atUs[index] = watch.lastAtUs;
  watch.arrived += 1;
}

/** The credentials of `npm run sandbox`, so that a gateway can be configured once for both. */
const DIRECTORY = resolve('data/sandbox');
const COUNTS_ONLY = { keepPushes: 0, keepRequests: 0 } as const;

/** Opens the stand-ins at the given addresses of APNs and FCM (`host:port`), or on free ports with keys of its own. */
async function open([apns, fcm]: readonly string[]) {
  if (apns === undefined || fcm === undefined) return { sandbox: await startSandbox(COUNTS_ONLY) };
  const [apnsUrl, fcmUrl] = [new URL(`https://${apns}`), new URL(`https://${fcm}`)];
  const sandbox = await startSandbox({
    ...COUNTS_ONLY,
    identity: await loadIdentity(DIRECTORY),
    apnsHost: apnsUrl.hostname,
    apnsPort: Number(apnsUrl.port || HTTPS_PORT),
    fcmHost: fcmUrl.hostname,
    fcmPort: Number(fcmUrl.port || HTTPS_PORT),
  });
  return { sandbox, files: await writeCredentials(DIRECTORY, sandbox) };
}

function delayAnswers(sandbox: Sandbox, delayMs: number): void {
  sandbox.clearFaults();
  if (delayMs === 0) return;
  for (const name of ['apns', 'fcm'] as const) {
    sandbox.script({ provider: name, times: Infinity, fault: { kind: 'delay', delayMs } });
  }
}

const { sandbox, files } = await open(process.argv.slice(2));
let watch = startWatch(0, 1);
sandbox.onPush((push) => note(watch, push.data.notification_payload ?? ''));

serveParent(commands, async (command) => {
  switch (command.kind) {
    case 'describe':
      return { ca: sandbox.ca, apns: sandbox.apns, fcm: sandbox.fcm, files };
    case 'watch':
      watch = startWatch(command.firstNumber, command.count);
      return {};
    case 'progress':
      return { arrived: watch.arrived, lastAtUs: watch.lastAtUs };
    case 'arrivals':
      return { atUs: watch.atUs, arrived: watch.arrived, repeated: watch.repeated };
    case 'delay':
      return delayAnswers(sandbox, command.delayMs) ?? {};
    case 'outage':
      await sandbox.startOutage(command.provider, command.outage);
      return { atUs: nowUs() };
    case 'outage_over':
      await sandbox.endOutage(command.provider);
      return { atUs: nowUs() };
  }
});

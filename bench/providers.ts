// The process of the stand-ins for APNs and FCM. Notes when it got each push, and changes how they behave.

import { resolve } from 'node:path';
import { z } from 'zod';
import { loadIdentity, writeCredentials } from '../sandbox/identity-store.ts';
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts';
import { serveParent } from './child.ts';
import { nowUs } from './monotonic.ts';
import { numberIn } from './numbering.ts';

const provider = z.enum(['apns', 'fcm']);
const commands = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('describe') }),
  /** Notes arrivals of the pushes with these numbers from now on. */
  z.object({
    kind: z.literal('watch'),
    firstNumber: z.int(),
    count: z.int().min(1).max(10_000_000),
  }),
  z.object({ kind: z.literal('progress') }),
  z.object({ kind: z.literal('arrivals') }),
  /** Takes every push at once and answers it later. */
  z.object({ kind: z.literal('delay'), delayMs: z.int().min(0) }),
  z.object({ kind: z.literal('down'), provider }),
  z.object({ kind: z.literal('up'), provider }),
  z.object({ kind: z.literal('connections') }),
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

/** The ports and the directory of `npm run sandbox`: whoever was configured for that reaches this. */
const FIXED = { apnsPort: 9197, fcmPort: 9198, directory: resolve('data/sandbox') } as const;
const COUNTS_ONLY = { keepPushes: 0, keepRequests: 0 } as const;

async function open(fixed: boolean) {
  if (!fixed) return { sandbox: await startSandbox(COUNTS_ONLY) };
  const { apnsPort, fcmPort, directory } = FIXED;
  const identity = await loadIdentity(directory);
  const sandbox = await startSandbox({ ...COUNTS_ONLY, identity, apnsPort, fcmPort });
  return { sandbox, files: await writeCredentials(directory, sandbox) };
}

function delayAnswers(sandbox: Sandbox, delayMs: number): void {
  sandbox.clearFaults();
  if (delayMs === 0) return;
  for (const name of ['apns', 'fcm'] as const) {
    sandbox.script({ provider: name, times: Infinity, fault: { kind: 'delay', delayMs } });
  }
}

const { sandbox, files } = await open(process.argv.includes('--fixed'));
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
    case 'down':
      await sandbox.refuseConnections(command.provider, true, { reset: true });
      return { atUs: nowUs() };
    case 'up':
      await sandbox.refuseConnections(command.provider, false);
      return { atUs: nowUs() };
    case 'connections': {
      const { apns, fcm } = sandbox.connections();
      return { apns: apns.open, fcm: fcm.open };
    }
  }
});

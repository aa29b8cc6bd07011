// How the reference senders are driven: the same closed loop and the same open loop as the callers of the service.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { addressesSchema } from './addresses.ts';
import { nowUs } from './monotonic.ts';

/** Sends the push with this number; resolves when the provider has taken it and rejects if it did not. */
export type Send = (number: number) => Promise<void>;

const numbers = { firstNumber: z.int().min(0), count: z.int().min(1).max(10_000_000) };

/** What a reference process is told; a closed loop and an open one, as for the load generator. */
export const sendCommands = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('connect'),
    provider: z.enum(['apns', 'fcm']),
    standIns: addressesSchema,
  }),
  z.object({ kind: z.literal('closed'), callers: z.int().min(1), ...numbers }),
  z.object({ kind: z.literal('open'), ratePerSecond: z.number(), ...numbers }),
]);

export type SendCommand = z.output<typeof sendCommands>;
export type LoopCommand = Exclude<SendCommand, { kind: 'connect' }>;

/** Resolves when every push was taken; `dueUs` is when each should have been started. */
export async function runLoop(send: Send, command: LoopCommand): Promise<{ dueUs: Float64Array }> {
  const dueUs = new Float64Array(command.count);
  if (command.kind === 'closed') await closedLoop(send, command, dueUs);
  else await openLoop(send, command, dueUs);
  return { dueUs };
}

async function closedLoop(
  send: Send,
  { firstNumber, count, callers }: Extract<LoopCommand, { kind: 'closed' }>,
  dueUs: Float64Array,
): Promise<void> {
  let next = 0;
  const caller = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      dueUs[index] = nowUs();
      await send(firstNumber + index);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

async function openLoop(
  send: Send,
  { firstNumber, count, ratePerSecond }: Extract<LoopCommand, { kind: 'open' }>,
  dueUs: Float64Array,
): Promise<void> {
  const startUs = nowUs() + 100_000;
  const pacer = new Worker(new URL('./load/pacer.ts', import.meta.url), {
    workerData: { startUs, count, ratePerSecond },
  });
  const sent: Promise<void>[] = [];
  pacer.on('message', (due: number) => {
    while (sent.length < due) {
      dueUs[sent.length] = startUs + (sent.length * 1e6) / ratePerSecond;
      sent.push(send(firstNumber + sent.length));
    }
  });
  await once(pacer, 'exit');
  await Promise.all(sent);
}

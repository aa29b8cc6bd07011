// Sends generated requests over several connections, one at a time on each, and reports every answer that broke a
// promise, with the bytes that reproduce it.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from '../support/properties.ts';
import { createRawConnection, sendAndHangUp } from './raw-client.ts';
import type { FuzzRequest } from './requests.ts';
import { faultOf, undescribedIn } from './verdict.ts';

const CONNECTIONS = 8;
const BATCH = 500;
const MAX_SHOWN = 5;

export interface Flood {
  readonly url: string;
  readonly arbitrary: fc.Arbitrary<FuzzRequest>;
  readonly seed: number;
  readonly count: number;
  /** Sends each request on a new connection, which is ended directly after it. */
  readonly isBroken?: true;
  /** Called after each batch with how many were sent so far; a returned text is a fault. */
  readonly afterBatch?: (sent: number) => string | undefined;
}

export interface FloodResult {
  readonly sent: number;
  readonly faults: readonly string[];
  /** How often each status came; `closed` if there was no answer. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** Stops at the first batch with a fault. */
export async function flood(options: Flood): Promise<FloodResult> {
  const { url, arbitrary, seed, count, isBroken, afterBatch } = options;
  const faults: string[] = [];
  const statuses: Record<string, number> = {};
  const note = (request: FuzzRequest, fault: string | undefined, status: string) => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (fault === undefined) return;
    const bytes = request.bytes.subarray(0, 600).toString('latin1');
    faults.push(`${fault}\n  for ${JSON.stringify(bytes)} (${request.bytes.length} bytes)`);
  };
  const connections = Array.from({ length: CONNECTIONS }, () => createRawConnection(url));
  let sent = 0;
  while (sent < count && faults.length === 0) {
    const numRuns = Math.min(BATCH, count - sent);
    const queue = fc.sample(arbitrary, { seed: seed + sent, numRuns }).values();
    const work = connections.map(async (connection) => {
      // The connections share one queue.
      for (const request of queue) {
        if (isBroken) await sendBroken(url, request, note);
        else {
          const answer = await connection.exchange(request.bytes, request.method === 'HEAD');
          const fault = faultOf(request, answer) ?? undescribedIn(request, answer);
          note(request, fault, String(answer?.status ?? 'closed'));
        }
      }
    });
    await Promise.all(work);
    sent += numRuns;
    const fault = afterBatch?.(sent);
    if (fault !== undefined) faults.push(fault);
  }
  for (const connection of connections) connection.close();
  return { sent, faults: faults.slice(0, MAX_SHOWN), statuses };
}

async function sendBroken(
  url: string,
  request: FuzzRequest,
  note: (request: FuzzRequest, fault: string | undefined, status: string) => void,
): Promise<void> {
  const { answers, rest } = await sendAndHangUp(url, request.bytes);
  if (rest.length > 0) note(request, `half an answer: ${rest.toString('latin1')}`, 'half');
  if (answers.length === 0) note(request, undefined, 'closed');
  for (const answer of answers) note(request, faultOf(request, answer), String(answer.status));
}

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

/** Bytes of live objects. */
export function liveHeapBytes(): number {
  if (typeof collect === 'function') collect();
  return process.memoryUsage().heapUsed;
}

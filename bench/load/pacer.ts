// The worker thread that reports when the next call is due. Node's timers fire up to 1 ms late; waiting on a futex
// wakes within about 50 µs and, unlike a busy loop, leaves the processor to the service.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { nowUs } from '../monotonic.ts';

const schema = z.object({ startUs: z.number(), count: z.int(), ratePerSecond: z.number() });

/** Posts how many calls are due by now, each time the number has grown. */
function pace(port: MessagePort): void {
  const { startUs, count, ratePerSecond } = schema.parse(workerData);
  const gapUs = 1e6 / ratePerSecond;
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let due = 0; due < count; ) {
    const waitUs = startUs + due * gapUs - nowUs();
    if (waitUs > 0) Atomics.wait(sleeper, 0, 0, waitUs / 1e3);
    due = Math.min(count, Math.max(due + 1, Math.floor((nowUs() - startUs) / gapUs) + 1));
    port.postMessage(due);
  }
}

if (parentPort === null) throw new Error('this file is the entry of a worker thread');
pace(parentPort);

// What the stand-ins share while they run: the clock, the fault script, the waiting
// answers and the two journals.
import { createFaultScript, type FaultScript } from './faults.ts';
import { createJournal, type Journal } from './journal.ts';
import { type After, createDelays, type Delays } from './perform-fault.ts';
import type { ReceivedPush, SandboxRequest } from './records.ts';

export interface Memory {
  /** Wall clock, ms: for expiry and the times of records. Credentials are checked by the machine's clock. */
  readonly now: () => number;
  readonly faults: FaultScript;
  readonly delays: Delays;
  readonly pushes: Journal<ReceivedPush>;
  readonly requests: Journal<SandboxRequest>;
}

export interface MemoryOptions {
  readonly now: () => number;
  readonly after: After | undefined;
  readonly keepPushes: number;
  readonly keepRequests: number;
}

export function createMemory({ now, after, keepPushes, keepRequests }: MemoryOptions): Memory {
  return {
    now,
    faults: createFaultScript(),
    delays: createDelays(after),
    pushes: createJournal(keepPushes),
    requests: createJournal(keepRequests),
  };
}

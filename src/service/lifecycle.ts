// How the service stops: it is not ready, takes no new calls, lets pushes in flight finish, and gives everything else
// back to the store for the next process. Nothing waits longer than the grace period and a second.

import type { Config } from '../config/config.ts';
import { isServer } from '../config/files.ts';
import type { Asker } from '../core/answering/asker.ts';
import type { Dispatcher } from '../core/answering/dispatcher.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Store } from '../core/ports/store.ts';
import type { Receipts } from '../core/receipts/receipts.ts';
import type { Recorder } from '../core/records/recorder.ts';
import type { Ledger } from '../core/sending/ledger.ts';
import type { Retrier } from '../core/sending/retrier.ts';
import type { Sender } from '../core/sending/sender.ts';
import type { Listener } from '../http/server.ts';
import type { LiveApps } from './live-apps.ts';

/** Time for the steps after the sends: answers on their way out, the last commit, the connections. */
const LAST_SECOND_MS = 1_000;

export interface StopParts {
  readonly owner: string;
  readonly graceMs: number;
  readonly clock: Clock;
  /** At the port, and at the socket beside the database. */
  readonly listeners: readonly Listener[];
  readonly asker: Asker;
  readonly dispatcher: Dispatcher;
  readonly retrier: Retrier;
  readonly receipts: Pick<Receipts, 'stop'> | undefined;
  readonly sender: Sender;
  readonly ledger: Ledger;
  readonly recorder: Pick<Recorder, 'close'>;
  readonly store: Store;
  readonly live: Pick<LiveApps, 'close'>;
}

/** Proxies need a few seconds to notice that one of several machines is no longer ready. */
const SHARED_DRAIN_MS = 10_000;

export function drainMsOf({ drainMs, database }: Pick<Config, 'drainMs' | 'database'>): number {
  return drainMs ?? (isServer(database) ? SHARED_DRAIN_MS : 0);
}

/**
 * Calls are still taken for this long, while readiness is red and every answer closes its connection. Then new ones are
 * refused, and those that wait for a device keep waiting until their own deadline.
 */
export async function drain(
  {
    listeners,
    clock,
    dispatcher,
    asker,
  }: Pick<StopParts, 'clock' | 'dispatcher' | 'asker'> & {
    readonly listeners: readonly Pick<Listener, 'drain'>[];
  },
  drainMs: number,
): Promise<void> {
  for (const listener of listeners) listener.drain();
  await new Promise<void>((resolve) => clock.after(drainMs, resolve));
  dispatcher.drain();
  await asker.close();
}

export async function stopService(parts: StopParts): Promise<void> {
  const { clock, listeners, store, ledger, sender } = parts;
  parts.dispatcher.drain();
  parts.asker.drain();
  parts.retrier.stop();
  parts.receipts?.stop();
  const grace = startLimit(clock, parts.graceMs);
  await grace.atMost(sender.idle());
  grace.cancel();

  // Callers that still wait are answered "queued": the next process sends what the released leases leave.
  parts.dispatcher.hurry();
  const lastSecond = startLimit(clock, LAST_SECOND_MS);
  await lastSecond.atMost(Promise.all(listeners.map((listener) => listener.close())));
  for (const listener of listeners) listener.destroy();
  // A push may end before its row is committed; its end must be in the log before the lease is given up.
  await lastSecond.atMost(Promise.all([sender.recorded(), parts.asker.recorded()]));
  ledger.close();
  await lastSecond.atMost(parts.recorder.close());
  await lastSecond.atMost(giveBack(parts));
  await lastSecond.atMost(parts.live.close());
  await lastSecond.atMost(store.close());
  lastSecond.cancel();
}

async function giveBack({ ledger, store, owner }: StopParts): Promise<void> {
  try {
    await ledger.flush();
    await store.releaseLeases(owner);
  } catch {
    // The store fails: the next process finds the leases and ends them itself.
  }
}

interface Limit {
  /** Waits for the work, but not beyond the limit, which runs from the start of the work. */
  atMost(work: Promise<unknown>): Promise<void>;
  cancel(): void;
}

function startLimit(clock: Clock, ms: number): Limit {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  return {
    atMost: async (work) => {
      await Promise.race([work, over]);
    },
    cancel: () => timer.cancel(),
  };
}

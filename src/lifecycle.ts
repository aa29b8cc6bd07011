// How the service ends: red to the load balancer, nothing new, what is in flight may land, everything else
// is given back to the store for the next process. Nothing waits longer than the grace period and a second.

import type { Asker } from './core/asker.ts';
import type { Clock } from './core/clock.ts';
import type { Dispatcher } from './core/dispatcher.ts';
import type { Ledger } from './core/ledger.ts';
import type { Retrier } from './core/retrier.ts';
import type { Sender } from './core/sender.ts';
import type { Store } from './core/store.ts';
import type { RunningServer } from './http/server.ts';
import type { Log } from './observe/log.ts';
import type { AppProvider } from './providers.ts';

/** For what comes after the sends: answers on their way out, the last commit. */
const LAST_SECOND_MS = 1_000;

export interface StopParts {
  readonly owner: string;
  readonly graceMs: number;
  readonly clock: Clock;
  readonly server: RunningServer;
  readonly asker: Asker;
  readonly dispatcher: Dispatcher;
  readonly retrier: Retrier;
  readonly sender: Sender;
  readonly ledger: Ledger;
  readonly store: Store;
  readonly providers: readonly AppProvider[];
  readonly log: Log;
}

export async function stopService(parts: StopParts): Promise<void> {
  const { clock, server, store, ledger } = parts;
  parts.dispatcher.drain();
  parts.asker.drain();
  parts.retrier.stop();
  await within(clock, parts.graceMs, parts.sender.idle());

  // Whoever still waits is told "queued", which the released lease makes true for the next process.
  parts.dispatcher.hurry();
  await within(clock, LAST_SECOND_MS, server.close());
  server.destroy();
  ledger.close();
  await within(clock, LAST_SECOND_MS, giveBack(parts));
  await within(
    clock,
    LAST_SECOND_MS,
    Promise.all(parts.providers.map((one) => one.provider.close())),
  );
  await within(clock, LAST_SECOND_MS, store.close());
  parts.log.flush();
}

async function giveBack({ ledger, store, owner }: StopParts): Promise<void> {
  try {
    await ledger.flush();
    await store.releaseLeases(owner);
  } catch {
    // A sick store: the next process finds the leases and ends them itself.
  }
}

async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  await Promise.race([work, promise]);
  timer.cancel();
}

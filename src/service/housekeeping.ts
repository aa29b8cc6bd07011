// Periodic work: pruning the log in small batches, forgetting old duplicate keys, deleting old devices, noticing pushes
// that no receipt answered and phones that fell silent.

import type { Clock, Timer } from '../core/ports/clock.ts';
import type { DeviceStore } from '../core/ports/devices.ts';
import type { EventStore } from '../core/ports/events.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { Records } from '../core/ports/records.ts';
import type { Store } from '../core/ports/store.ts';
import type { Receipts } from '../core/receipts/receipts.ts';
import { REFUSALS_KEPT_MS } from '../core/records/refusals.ts';
import type { Sender } from '../core/sending/sender.ts';
import type { Duplicates } from '../core/tokens/duplicates.ts';

const PRUNE_EVERY_MS = 10 * 60_000;
/** The window of a payment, of which there are most, is 25 s. A sweep takes a millisecond for 50,000 keys. */
const SWEEP_EVERY_MS = 10_000;
/** How long a delivery stays open after its lifetime if no lane handles it. */
const EXPIRE_EVERY_MS = 10_000;
/** A phone is silent after a day at the earliest. */
const SILENT_EVERY_MS = 60_000;
const MISSED_EVERY_MS = 10_000;
/** Small enough that an insert waits milliseconds, not seconds. */
const PRUNE_BATCH = 500;
const PAUSE_MS = 50;

/** Older events are no longer useful to an endpoint. */
const EVENTS_KEPT_MS = 86_400_000;

export interface Housekeeping {
  stop(): void;
}

export function startHousekeeping(parts: {
  readonly clock: Clock;
  readonly store: Store;
  readonly duplicates: Duplicates;
  readonly sender: Sender;
  readonly devices: DeviceStore;
  readonly records: Records;
  readonly receipts: Pick<Receipts, 'noteMissed' | 'noteSilent'> | undefined;
  readonly events: Pick<EventStore, 'pruneEvents'>;
  readonly observer: Observer;
  readonly retentionMs: number;
  readonly deviceDeadMs: number;
  readonly deviceUnseenMs: number;
}): Housekeeping {
  const { clock, store, duplicates, retentionMs } = parts;
  const timers = new Map<string, Timer>();
  let stopped = false;
  const every = (name: string, delayMs: number, task: () => void) => {
    if (!stopped) timers.set(name, clock.after(delayMs, task));
  };
  const sweep = () => {
    duplicates.sweep();
    every('sweep', SWEEP_EVERY_MS, sweep);
  };
  // Its app may have left the configuration, so that no lane claims it.
  const expire = async () => {
    let expired: readonly string[] = [];
    try {
      const times = { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
      expired = await store.expireOverdue({ ...times, limit: PRUNE_BATCH });
      for (const deliveryId of expired) parts.sender.expired(deliveryId);
    } catch {
      // A failing store is reported by the writers; this runs again later.
    }
    every('expire', expired.length > 0 ? PAUSE_MS : EXPIRE_EVERY_MS, () => void expire());
  };
  const prune = async () => {
    let pruned = 0;
    try {
      const times = { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
      const beforeMs = times.wallMs - retentionMs;
      pruned = await store.prune({ ...times, beforeMs, limit: PRUNE_BATCH });
      pruned += await parts.records.prune({
        refusedBeforeMs: clock.wallMs() - Math.min(REFUSALS_KEPT_MS, retentionMs),
        endedBeforeMs: beforeMs,
        limit: PRUNE_BATCH,
      });
      pruned += await parts.events.pruneEvents({
        beforeMs: clock.wallMs() - EVENTS_KEPT_MS,
        limit: PRUNE_BATCH,
      });
    } catch {
      // A failing store is reported by the writers; pruning runs again later.
    }
    every('prune', pruned > 0 ? PAUSE_MS : PRUNE_EVERY_MS, () => void prune());
  };
  const pruneDevices = async () => {
    const wallMs = clock.wallMs();
    let pruned = { dead: 0, unseen: 0 };
    try {
      pruned = await parts.devices.pruneDevices({
        deadBeforeMs: wallMs - parts.deviceDeadMs,
        unseenBeforeMs: wallMs - parts.deviceUnseenMs,
        nowMs: clock.nowMs(),
        wallMs,
        limit: PRUNE_BATCH,
      });
    } catch {
      // As above.
    }
    const any = pruned.dead + pruned.unseen > 0;
    if (any) parts.observer.observe({ name: 'devices_pruned', ...pruned });
    every('devices', any ? PAUSE_MS : PRUNE_EVERY_MS, () => void pruneDevices());
  };
  const noteSilent = async () => {
    try {
      await parts.receipts?.noteSilent();
    } catch {
      // As above.
    }
    every('silent', SILENT_EVERY_MS, () => void noteSilent());
  };
  const noteMissed = async () => {
    let isMore = false;
    try {
      isMore = (await parts.receipts?.noteMissed()) === true;
    } catch {
      // As above.
    }
    every('missed', isMore ? PAUSE_MS : MISSED_EVERY_MS, () => void noteMissed());
  };
  every('missed', MISSED_EVERY_MS, () => void noteMissed());
  every('silent', SILENT_EVERY_MS, () => void noteSilent());
  every('sweep', SWEEP_EVERY_MS, sweep);
  every('devices', PRUNE_EVERY_MS, () => void pruneDevices());
  every('expire', EXPIRE_EVERY_MS, () => void expire());
  every('prune', PRUNE_EVERY_MS, () => void prune());
  return {
    stop: () => {
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
    },
  };
}

// Notes what a store was asked: once behind the disk, where it is true, and once before it, where the process
// is told.

import type { Store } from '../../src/core/ports/store.ts';
import type { Journal } from './journal.ts';
import type { Timeline } from './timeline.ts';

/** What was committed. */
export function recordCommits(
  store: Store,
  journal: Journal,
  { life, timeline }: { readonly life: number; readonly timeline: Timeline },
): Store {
  return {
    ...store,
    insert: async (accepted) => {
      await store.insert(accepted);
      const record = journal.deliveries.get(accepted.delivery.id);
      if (record !== undefined) record.isStored = true;
      journal.note('inserted', accepted.delivery.id);
    },
    settle: async (settlement) => {
      const { deliveryId, attempt, next } = settlement;
      const isHeld = await store.settle(settlement);
      const record = journal.deliveries.get(deliveryId);
      journal.note('settled', `${deliveryId} ${attempt?.number ?? '-'} ${next.status} ${isHeld}`);
      if (!isHeld || record === undefined) return isHeld;
      if (attempt !== undefined) record.logged.push({ life, number: attempt.number });
      if (next.status === 'queued') {
        const waitMs = Math.max(0, next.dueAtMs - settlement.nowMs);
        if (settlement.keepLeaseUntilMs === undefined) {
          record.due = { life, atMs: timeline.nowMs + waitMs };
        }
      } else {
        record.final = { status: next.status, atMs: timeline.nowMs, life };
      }
      return isHeld;
    },
    recover: async ({ nowMs }) => {
      const open = await store.recover({ nowMs });
      for (const record of journal.deliveries.values()) {
        if (record.final !== undefined || !record.isStored) continue;
        // The clock may have been set back: no lifetime ends later than one that begins now.
        record.expiresMs = Math.min(record.expiresMs, nowMs + record.lifetimeMs);
      }
      journal.note('recovered', String(open));
      return open;
    },
    claimDue: async (claim) => {
      const result = await store.claimDue(claim);
      const ids = result.deliveries.map(({ id }) => id).join(' ');
      if (ids !== '') journal.note('claimed', ids);
      return result;
    },
  };
}

/** What the process was told. */
export function recordTold(store: Store, journal: Journal): Store {
  return {
    ...store,
    insert: async (accepted) => {
      const record = journal.deliveries.get(accepted.delivery.id);
      try {
        await store.insert(accepted);
        if (record !== undefined) record.insert = 'told';
      } catch (error) {
        if (record !== undefined) record.insert = 'refused';
        throw error;
      }
    },
  };
}

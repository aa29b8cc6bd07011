// Records the operations of a store: once behind the disk, where they really happen, and once before it, where the
// process gets the results.

import type { Attempt } from '../../src/core/delivery.ts';
import type { AcceptedDelivery, Store } from '../../src/core/ports/store.ts';
import type { DeliveryRecord, Journal } from './journal.ts';
import type { Timeline } from './timeline.ts';

/** Records what was committed. */
export function recordCommits(
  store: Store,
  journal: Journal,
  {
    life,
    timeline,
    aheadMs,
  }: {
    readonly life: number;
    readonly timeline: Timeline;
    /** How far the times of the life are ahead of those that the rules compare. */
    readonly aheadMs: number;
  },
): Store {
  const { claimKey } = store;
  /** Records that it was stored, perhaps before the core reports that it accepted it. */
  const stored = ({ delivery: { id } }: AcceptedDelivery) => {
    const record = journal.deliveries.get(id);
    if (record === undefined) journal.claims.set(id, { storedBy: life });
    else noteStored(record, life);
    journal.note('inserted', id);
  };
  return {
    ...store,
    ...(claimKey && {
      claimKey: async (keyed) => {
        const claim = await claimKey(keyed);
        if (claim.kind === 'taken') stored(keyed);
        return claim;
      },
    }),
    insert: async (accepted) => {
      await store.insert(accepted);
      stored(accepted);
    },
    releaseQuarantine: async (tokenHash) => {
      journal.releasedAtMs.set(tokenHash, timeline.nowMs);
      return await store.releaseQuarantine(tokenHash);
    },
    settle: async (settlement) => {
      const { deliveryId, attempt, next } = settlement;
      const isHeld = await store.settle(settlement);
      const record = journal.deliveries.get(deliveryId);
      journal.note('settled', `${deliveryId} ${attempt?.number ?? '-'} ${next.status} ${isHeld}`);
      if (record === undefined) return isHeld;
      // Another machine renewed it while this one ended it: the delivery stays open, and the attempt is logged.
      if (!isHeld && next.status === 'expired' && record.renewedAtMs !== undefined) {
        delete record.seenEnd;
        const isOwn = record.isLeased && record.leasedBy === life && record.final === undefined;
        if (isOwn && attempt !== undefined) noteLogged(record, life, attempt);
      }
      if (!isHeld) return isHeld;
      if (attempt !== undefined) noteLogged(record, life, attempt);
      if (next.status === 'queued') {
        const waitMs = Math.max(0, next.dueAtMs - settlement.nowMs);
        if (settlement.keepLeaseUntilMs === undefined) {
          record.isLeased = false;
          record.due = { life, atMs: timeline.nowMs + waitMs };
        }
      } else {
        const { status, reason } = next;
        record.final = { status, reason, atMs: timeline.nowMs, life };
      }
      return isHeld;
    },
    confirm: async (confirmation) => {
      const { deliveryId, attempts } = confirmation;
      const isConfirmed = await store.confirm(confirmation);
      const record = journal.deliveries.get(deliveryId);
      journal.note('confirmed', `${deliveryId} ${isConfirmed}`);
      if (!isConfirmed || record === undefined) return isConfirmed;
      for (const attempt of attempts) noteLogged(record, life, attempt);
      record.final = { status: 'delivered', atMs: timeline.nowMs, life };
      return isConfirmed;
    },
    hasten: async (options) => {
      const hastened = await store.hasten(options);
      journal.hastenedAtMs.set(options.provider, timeline.nowMs);
      return hastened;
    },
    renew: async (renewal) => {
      const { deliveryId, expiresAtMs } = renewal;
      const isRenewed = await store.renew(renewal);
      journal.note('renewed', `${deliveryId} ${isRenewed}`);
      const record = journal.deliveries.get(deliveryId);
      if (!isRenewed || record === undefined) return isRenewed;
      record.expiresMs = expiresAtMs - aheadMs;
      record.renewedAtMs = timeline.nowMs;
      journal.count('renewed');
      return isRenewed;
    },
    expireOverdue: async (options) => {
      const expired = await store.expireOverdue(options);
      for (const id of expired) {
        const record = journal.deliveries.get(id);
        if (record !== undefined) record.final = { status: 'expired', atMs: timeline.nowMs, life };
      }
      return expired;
    },
    recover: async ({ nowMs }) => {
      const open = await store.recover({ nowMs });
      for (const record of journal.fleet === undefined ? journal.deliveries.values() : []) {
        if (record.final !== undefined || !record.isStored) continue;
        // The clock may have been set back: then a lifetime ends no later than one that begins now.
        record.expiresMs = Math.min(record.expiresMs, nowMs + record.lifetimeMs);
      }
      journal.note('recovered', String(open));
      return open;
    },
    claimDue: async (claim) => {
      const result = await store.claimDue(claim);
      const ids = result.deliveries.map(({ id }) => id).join(' ');
      for (const { id } of result.deliveries) {
        const record = journal.deliveries.get(id);
        if (record === undefined) continue;
        Object.assign(record, { isLeased: true, leasedBy: life });
        // The machine that claimed it sends it now, or dies.
        if (record.due?.life !== life) delete record.due;
      }
      if (ids !== '') journal.note('claimed', ids);
      return result;
    },
  };
}

export function noteStored(record: DeliveryRecord, life: number): void {
  record.isStored = true;
  record.isLeased = true;
  record.leasedBy = life;
}

/** A late answer replaces the attempt that it belongs to. */
function noteLogged(record: DeliveryRecord, life: number, { number, outcome }: Attempt): void {
  if (record.logged.some((entry) => entry.number === number)) return;
  record.logged.push({ life, number });
  const isUnanswered = outcome.kind === 'retry' && outcome.certainty === 'unanswered';
  if (isUnanswered) record.unansweredLogged += 1;
}

/** Records what the process was told. */
export function recordTold(store: Store, journal: Journal): Store {
  const { claimKey } = store;
  return {
    ...store,
    ...(claimKey && {
      claimKey: async (keyed) => {
        const { id } = keyed.delivery;
        const told = (insert: 'told' | 'refused') => {
          const record = journal.deliveries.get(id);
          if (record !== undefined) record.insert = insert;
          else journal.claims.set(id, { ...journal.claims.get(id), insert });
        };
        try {
          const claim = await claimKey(keyed);
          told(claim.kind === 'taken' ? 'told' : 'refused');
          return claim;
        } catch (error) {
          told('refused');
          throw error;
        }
      },
    }),
    insert: async (accepted) => {
      // The core reports that it accepted the delivery right after this call.
      const told = (insert: 'told' | 'refused') => {
        const record = journal.deliveries.get(accepted.delivery.id);
        if (record !== undefined) record.insert = insert;
      };
      try {
        await store.insert(accepted);
        told('told');
      } catch (error) {
        told('refused');
        throw error;
      }
    },
  };
}

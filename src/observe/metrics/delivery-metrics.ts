// What became of deliveries: attempts by outcome, ends by status, and how long it all took.

import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { Clock } from '../../core/ports/clock.ts';
import type { EventNamed } from '../../core/ports/observer.ts';
import { type KnownNames, limitTo, UNKNOWN } from './names.ts';

/** Around the promise of a second; the longest are the lifetimes of races, beyond which only news is delivered. */
const DELIVERY_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];
/** A phone needs 8 to 25 s, and the caller gives up after 50. */
const REPLY_BUCKETS = [1, 2.5, 5, 10, 15, 20, 30, 40, 50];
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5];
/** A batch holds at most 1,000 operations. */
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 1_000];

export function createDeliveryMetrics(
  registry: Registry,
  { known, clock }: { readonly known: KnownNames; readonly clock: Clock },
) {
  const registers = [registry];
  const deliveries = new Counter({
    name: 'nds_deliveries_total',
    help: 'Deliveries that ended, by status.',
    labelNames: ['app', 'provider', 'type', 'status'],
    registers,
  });
  const attempts = new Counter({
    name: 'nds_attempts_total',
    help: 'Attempts at a provider by outcome; the reason is the provider’s or the connection’s.',
    labelNames: ['app', 'provider', 'outcome', 'reason'],
    registers,
  });
  const lastSuccess = new Gauge({
    name: 'nds_provider_last_success_timestamp_seconds',
    help: 'When the provider last took a push, Unix time; 0 before the first since the start.',
    labelNames: ['app', 'provider'],
    registers,
  });
  const durations = new Histogram({
    name: 'nds_delivery_duration_seconds',
    help: 'From the receipt of the call to the provider’s acceptance of the push.',
    labelNames: ['provider', 'type'],
    buckets: DELIVERY_BUCKETS,
    registers,
  });
  const replies = new Histogram({
    name: 'nds_reply_duration_seconds',
    help: 'From the provider’s acceptance of a push to the reply of its device.',
    buckets: REPLY_BUCKETS,
    registers,
  });
  const commits = new Histogram({
    name: 'nds_store_commit_duration_seconds',
    help: 'One transaction of the store, from handing it to its thread to the answer.',
    buckets: COMMIT_BUCKETS,
    registers,
  });
  const batches = new Histogram({
    name: 'nds_store_batch_rows',
    help: 'Operations that share one transaction of the store.',
    buckets: BATCH_BUCKETS,
    registers,
  });
  const appOf = limitTo(known.apps);
  const typeOf = limitTo(known.types);
  for (const { app, provider } of known.lanes) {
    lastSuccess.set({ app, provider }, 0);
    // 0 from the start, so that the first lost race is seen as an increase.
    for (const type of known.races) {
      deliveries.inc({ app, provider, type, status: 'expired' }, 0);
    }
  }

  return {
    attemptEnded(event: EventNamed<'attempt_ended'>): void {
      const { provider, outcome, reason = '' } = event;
      const app = appOf(event.app);
      attempts.inc({ app, provider, outcome, reason });
      if (outcome === 'delivered') lastSuccess.set({ app, provider }, clock.wallMs() / 1_000);
    },
    /** The provider took the push after the deadline of its attempt, which was counted as a failure. */
    lateAnswer({ app, provider, outcome }: EventNamed<'late_answer'>): void {
      if (outcome !== 'delivered') return;
      lastSuccess.set({ app: appOf(app), provider }, clock.wallMs() / 1_000);
    },
    settled({ app, provider, type, status, sinceReceiptMs }: EventNamed<'delivery_settled'>): void {
      deliveries.inc({ app: appOf(app), provider, type: typeOf(type), status });
      if (status !== 'delivered') return;
      durations.observe({ provider, type: typeOf(type) }, sinceReceiptMs / 1_000);
    },
    /** Ended by a sweep of the log, which knows nothing else about it. */
    overdue(): void {
      deliveries.inc({ app: UNKNOWN, provider: UNKNOWN, type: UNKNOWN, status: 'expired' });
    },
    replyWaited({ end, sincePushMs }: EventNamed<'reply_waited'>): void {
      if (end === 'answered' && sincePushMs !== undefined) replies.observe(sincePushMs / 1_000);
    },
    batchEnded({ operations, durationMs }: EventNamed<'store_batch_ended'>): void {
      commits.observe(durationMs / 1_000);
      batches.observe(operations);
    },
  };
}

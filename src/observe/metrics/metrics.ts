// Metrics for Prometheus: counters and histograms that follow the core's events, and gauges that are read when they
// are asked for. Loaded only if NDS_METRICS_ADDRESS is set; the core does not know about it.

import { Registry } from '@prometheus-io/client';
import type { Clock } from '../../core/ports/clock.ts';
import type { Observer, ServiceEvent } from '../../core/ports/observer.ts';
import { createDeliveryMetrics } from './delivery-metrics.ts';
import { createEventMetrics } from './event-metrics.ts';
import { createLaneGauges, type LaneGaugesParts } from './lane-gauges.ts';
import type { KnownNames } from './names.ts';
import { createProcessGauges, type ProcessGaugesParts } from './process-gauges.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { createStoreGauges, type StoreGaugesParts } from './store-gauges.ts';
import { createWakeMetrics } from './wake-metrics.ts';

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

export interface Metrics {
  readonly observer: Observer;
  /** The text that Prometheus reads; gauges have their current values. */
  page(): Promise<MetricsPage>;
  stop(): void;
}

export interface MetricsParts extends LaneGaugesParts, StoreGaugesParts, ProcessGaugesParts {
  readonly clock: Clock;
  readonly known: KnownNames;
}

export function createMetrics(parts: MetricsParts): Metrics {
  const registry = new Registry();
  const observer = createMetricsObserver(registry, parts);
  const collectLanes = createLaneGauges(registry, parts);
  const collectStore = createStoreGauges(registry, parts);
  const ofProcess = createProcessGauges(registry, parts);
  return {
    observer,
    page: async () => {
      collectLanes();
      ofProcess.collect();
      await collectStore();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    stop: () => ofProcess.stop(),
  };
}

function createMetricsObserver(registry: Registry, parts: MetricsParts): Observer {
  const requests = createRequestMetrics(registry, parts.known);
  const deliveries = createDeliveryMetrics(registry, parts);
  const events = createEventMetrics(registry);
  const wakes = createWakeMetrics(registry, parts.known);
  return {
    observe: (event: ServiceEvent) => {
      switch (event.name) {
        case 'request_answered':
          return requests.request(event);
        case 'signature_refused':
          return requests.signatureRefused(event);
        case 'attempt_ended':
          return deliveries.attemptEnded(event);
        case 'late_answer':
          return deliveries.lateAnswer(event);
        case 'delivery_settled':
          return deliveries.settled(event);
        case 'delivery_overdue':
          return deliveries.overdue();
        case 'reply_waited':
          return deliveries.replyWaited(event);
        case 'receipt_taken':
          return wakes.receiptTaken(event);
        case 'knock_judged':
          return wakes.knockJudged(event);
        case 'device_silent':
        case 'device_returned':
        case 'device_demoted':
          return wakes.deviceChanged(event);
        case 'event_sent':
          return events.sent(event);
        case 'store_batch_ended':
          return deliveries.batchEnded(event);
      }
    },
  };
}

// What became of calls to endpoints.

import { Counter, type Registry } from '@prometheus-io/client';
import type { EventNamed } from '../../core/ports/observer.ts';

export function createEventMetrics(registry: Registry) {
  const sent = new Counter({
    name: 'nds_events_sent_total',
    help: 'Calls to endpoints of the vendor’s backend and mails, by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  // From zero, so that the first failure is an increase.
  for (const outcome of ['delivered', 'refused', 'gone', 'failed']) sent.inc({ outcome }, 0);
  return {
    sent: ({ outcome }: EventNamed<'event_sent'>) => sent.inc({ outcome }),
  };
}

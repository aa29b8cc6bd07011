// What phones said about the pushes that started them, and the results of second knocks.

import { Counter, Histogram, type Registry } from '@prometheus-io/client';
import type { EventNamed } from '../../core/ports/observer.ts';
import { type KnownNames, limitTo } from './names.ts';

/** Most phones wake in a few seconds; a race is lost after 60 s. */
const WAKE_BUCKETS = [0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60];
const KNOCK_RESULTS: readonly EventNamed<'knock_judged'>['result'][] = [
  'rescued',
  'late',
  'useless',
];
const DEVICE_CHANGES = ['silent', 'returned', 'demoted'];
type DeviceEvent = EventNamed<'device_silent'> | EventNamed<'device_returned' | 'device_demoted'>;

export function createWakeMetrics(registry: Registry, known: KnownNames) {
  const registers = [registry];
  const wakes = new Counter({
    name: 'nds_wakes_total',
    help: 'Receipts of phones that a push started, by how far they got.',
    labelNames: ['app', 'platform', 'type', 'stage'],
    registers,
  });
  const durations = new Histogram({
    name: 'nds_wake_duration_seconds',
    help: 'From the provider’s acceptance of a race’s push to the first receipt of its phone.',
    labelNames: ['app', 'platform'],
    buckets: WAKE_BUCKETS,
    registers,
  });
  const knocks = new Counter({
    name: 'nds_second_knocks_total',
    help: 'Second pushes of one delivery: rescued (the first receipt answers it), late (it answers the first push), useless (none came).',
    labelNames: ['app', 'platform', 'result'],
    registers,
  });
  const devices = new Counter({
    name: 'nds_device_changes_total',
    help: 'Phones with receipts that fell silent, returned, or were demoted by Android.',
    labelNames: ['app', 'platform', 'change'],
    registers,
  });
  const appOf = limitTo(known.apps);
  const typeOf = limitTo(known.types);
  // News waits until a phone is on. Each type would add 15 series per app and platform, and phones wake alike for all races.
  const races = new Set(known.races);
  for (const app of known.appsWithReceipts) {
    for (const platform of ['ios', 'android']) {
      // 0 from the start, so that the first one is seen as an increase.
      for (const result of KNOCK_RESULTS) knocks.inc({ app, platform, result }, 0);
      for (const change of DEVICE_CHANGES) devices.inc({ app, platform, change }, 0);
    }
  }

  return {
    receiptTaken(event: EventNamed<'receipt_taken'>): void {
      const { platform, stage, isFirst, sincePushMs } = event;
      const app = appOf(event.app);
      wakes.inc({ app, platform, type: typeOf(event.type), stage });
      if (isFirst && sincePushMs !== undefined && races.has(event.type)) {
        durations.observe({ app, platform }, sincePushMs / 1_000);
      }
    },
    knockJudged({ app, platform, result }: EventNamed<'knock_judged'>): void {
      knocks.inc({ app: appOf(app), platform, result });
    },
    deviceChanged({ app, platform, name }: DeviceEvent): void {
      devices.inc({ app: appOf(app), platform, change: name.slice('device_'.length) });
    },
  };
}

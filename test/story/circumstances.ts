// Failures around the service: providers, network, disk, clock.

import { rmSync } from 'node:fs';
import { androidToken } from '../support/driven-service.ts';
import { createStoreSwitch } from '../support/intercept-store.ts';
import { ANDROID_TOKEN } from '../support/service.ts';
import { atReadyz, byDoctor, byFind, inMetrics, open, type Story } from './stage.ts';

export const CIRCUMSTANCES: readonly Story[] = [
  {
    failure: 'FCM is down',
    shows: [
      { where: '/readyz', code: 'default/fcm broken' },
      { where: '/metrics', code: 'nds_breaker_status{provider="fcm",state="open"}' },
      { where: 'nds find', code: 'queued_outage' },
      { where: 'nds doctor', code: 'fcm_unreachable' },
    ],
    names: /FCM is failing \(UNAVAILABLE\)/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      await running.sandbox.startOutage('fcm', { kind: 'status_503' });
      // Three rounds from at least two phones: one phone's failures are not an outage.
      for (const round of [1, 2, 3]) {
        const phones = [androidToken(1), androidToken(2)];
        await Promise.all(phones.map((token) => running.notify(token, `payment number ${round}`)));
      }
      return [
        atReadyz(running, 'default/fcm'),
        await inMetrics(running, 'nds_breaker_status', { provider: 'fcm', state: 'open' }),
        await byFind(running, 'payment number 3'),
        await byDoctor(running, 'default/fcm'),
      ];
    },
  },
  {
    failure: 'a firewall or proxy lets nothing through to Apple',
    shows: [{ where: 'nds doctor', code: 'apns_unreachable' }],
    names: /: connection_refused$/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      return [await byDoctor(running, 'default/apns', { HTTPS_PROXY: 'http://127.0.0.1:1' })];
    },
  },
  {
    failure: 'the disk is full',
    shows: [
      { where: '/readyz', code: 'store not_ready' },
      { where: '/metrics', code: 'nds_refusals_total{code="store_unavailable"}' },
    ],
    names: /the disk is full/,
    happens: async (onEnd) => {
      const store = createStoreSwitch();
      const running = await open(onEnd, { wrapStore: store.wrap });
      store.fail('full');
      await running.sandbox.startOutage('fcm', { kind: 'status_503' });
      await running.notify(ANDROID_TOKEN, 'aa');
      const sign = atReadyz(running, 'store');
      store.repair();
      const labels = { code: 'store_unavailable' };
      return [sign, await inMetrics(running, 'nds_refusals_total', labels)];
    },
  },
  {
    failure: 'the database was deleted under the service',
    shows: [{ where: '/readyz', code: 'store not_ready' }],
    names: /moved, deleted or replaced while the service runs/,
    happens: async (onEnd) => {
      const running = await open(onEnd);
      rmSync(running.environment.NDS_DATABASE ?? '');
      await running.service.store.probe().catch(() => {});
      await running.notify(ANDROID_TOKEN, 'aa');
      return [atReadyz(running, 'store')];
    },
  },
  {
    failure: 'the clock of the machine is a minute behind',
    shows: [
      { where: 'nds doctor', code: 'clock_off' },
      { where: '/readyz', code: 'clock not_ready' },
    ],
    names: /(?:59|60|61) s behind Google’s date header/,
    happens: async (onEnd) => {
      const running = await open(onEnd, { sandbox: { now: () => Date.now() + 60_000 } });
      await running.notify(ANDROID_TOKEN, 'aa');
      return [await byDoctor(running, 'clock'), atReadyz(running, 'clock')];
    },
  },
];

// Assembles the vendor's endpoints from the configuration and the store.

import type { Config } from '../../config/config.ts';
import { mailSettingsOf } from '../../config/events/smtp.ts';
import { Endpoints } from '../../core/events/endpoints.ts';
import { healthDetail } from '../../core/events/health.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { DeviceStore } from '../../core/ports/devices.ts';
import type { EventStore } from '../../core/ports/events.ts';
import type { Ids } from '../../core/ports/ids.ts';
import { createEventSender } from '../../endpoints/event-sender.ts';
import { createMailSender } from '../../endpoints/mail/mail-sender.ts';
import type { ReadinessCheck } from '../../http/health.ts';
import type { Observers } from '../observing/observers.ts';

export function wireEndpoints(parts: {
  readonly config: Config;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly events: EventStore;
  readonly devices: Pick<DeviceStore, 'findDevice'>;
  readonly observer: Pick<Observers, 'observe' | 'join' | 'leave'>;
}): Endpoints {
  const { config, clock, ids, events, devices, observer } = parts;
  const { externalUrl } = config;
  return new Endpoints({
    clock,
    ids,
    observer,
    store: events,
    sender: createEventSender({
      clock,
      networks: config.endpointNetworks,
      proxy: config.endpointProxy,
    }),
    mail: createMailSender({
      clock,
      settings: mailSettingsOf(config),
      instance: externalUrl === undefined ? undefined : new URL(externalUrl).host,
    }),
    userOf: async (deviceId) => (await devices.findDevice(deviceId))?.user,
    join: observer.join,
    leave: observer.leave,
  });
}

/** What is wrong with endpoints; this does not affect pushes. */
export function endpointChecks(
  endpoints: Endpoints,
  clock: Clock,
): Readonly<Record<string, ReadinessCheck>> {
  const checks: Record<string, ReadinessCheck> = {};
  for (const outbox of endpoints.all) {
    const detail = healthDetail(outbox, { wallMs: clock.wallMs(), mailFault: endpoints.mailFault });
    if (detail === undefined) continue;
    checks[`endpoint/${outbox.endpoint.id}`] = { ready: true, status: 'degraded', detail };
  }
  return checks;
}

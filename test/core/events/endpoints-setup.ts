// All endpoints together on a real store, in virtual time, with a receiver and a mailbox that record what they get.

import { onTestFinished } from 'vitest';
import { Endpoints } from '../../../src/core/events/endpoints.ts';
import type { EventSender, Mail, MailSender } from '../../../src/core/ports/events.ts';
import type { Observer, ServiceEvent } from '../../../src/core/ports/observer.ts';
import type { useFiles } from '../../stores/sqlite/files.ts';
import { ENDPOINT_SECRET } from '../../support/endpoints.ts';
import { ManualClock } from '../../support/manual-clock.ts';

export const HOUR = 3_600_000;
export const SETTLED = {
  name: 'delivery_settled',
  deliveryId: '01986476-4c00-7000-8000-000000000001',
  app: 'default',
  provider: 'fcm',
  type: 'payment_received',
  status: 'expired',
  attempts: 1,
  sinceReceiptMs: 1,
} as const satisfies ServiceEvent;

/** `files` are the files of the calling test file. */
export async function setupEndpoints(
  { newFile, open }: ReturnType<typeof useFiles>,
  { isShared = false } = {},
) {
  const clock = new ManualClock();
  const { events: real, records, store: log } = await open(newFile());
  const store = { ...real, isShared };
  const mails: Mail[] = [];
  const signatures: string[] = [];
  const mail: MailSender = {
    fault: undefined,
    send: async ({ mail }) => {
      mails.push(mail);
      return { verdict: 'delivered', status: 250 };
    },
    close: () => undefined,
  };
  const calls: string[] = [];
  const receiver = { status: 500, isKnown: async () => {} };
  const sender: EventSender = {
    faultOf: async () => {
      await receiver.isKnown();
      return undefined;
    },
    send: async ({ url, headers, body }) => {
      signatures.push(headers['webhook-signature'] ?? '');
      calls.push(`${new URL(url).pathname} ${JSON.parse(body).type}`);
      return { kind: 'answered', status: receiver.status };
    },
    close: () => undefined,
  };
  const observers = new Set<Observer>();
  const faults: ServiceEvent[] = [];
  const endpoints = new Endpoints({
    ...{ clock, store, sender, mail },
    ids: { fraction: () => 0.5, secret: () => 'A'.repeat(22), deliveryId: () => 'id' },
    observer: {
      observe: (event) => {
        if (event.name === 'internal_fault') faults.push(event);
        for (const each of observers) each.observe(event);
      },
    },
    userOf: async () => undefined,
    join: (observer) => observers.add(observer),
    leave: (observer) => observers.delete(observer),
  });
  onTestFinished(() => endpoints.close());
  return {
    ...{ clock, store, endpoints, mails, signatures, calls, receiver, faults },
    down: (provider: 'fcm' | 'apns' = 'fcm') =>
      records.recordOutage({
        ...{ app: 'default', provider, reason: 'timeout', beganAtMs: clock.wallMs() },
      }),
    idle: async () => {
      for (let turns = 0; turns < 6; turns += 1) {
        await log.probe();
        await store.findEvent('none');
      }
    },
  };
}

export const OPS = { name: 'ops', url: 'ops@vendor.example', enabledEvents: ['*'] } as const;
export const BACKEND = {
  name: 'backend',
  url: 'https://vendor.example/nds',
  secret: ENDPOINT_SECRET,
  enabledEvents: ['provider.*'],
} as const;

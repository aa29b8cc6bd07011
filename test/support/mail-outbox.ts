// An e-mail endpoint on a real store and in virtual time, with a sender that records its mails.

import { MailOutbox } from '../../src/core/events/mail-outbox.ts';
import type { EventStore, Mail, MailResult, MailSender } from '../../src/core/ports/events.ts';
import type { ServiceEvent } from '../../src/core/ports/observer.ts';
import type { Outage } from '../../src/core/ports/records.ts';
import { StoreUnavailableError } from '../../src/core/ports/store.ts';
import { accept, sampleDelivery, settlement } from '../contract/store-samples.ts';
import type { useFiles } from '../stores/sqlite/files.ts';
import { sampleEmailEndpoint } from './endpoints.ts';
import { ManualClock } from './manual-clock.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const MAIL_TAKEN: MailResult = { verdict: 'delivered', status: 250 };
const FCM = { app: 'default', provider: 'fcm', reason: 'timeout' } as const;

interface State {
  answer: MailResult;
  /** `isSick`: the store refuses every operation. `isReadOnly`: it refuses only to record attempts. */
  isSick: boolean;
  isReadOnly: boolean;
  /** An error that the sender throws, which it never should. */
  fault?: Error | undefined;
}

/** `files` are the files of the calling test file. */
export async function setupMailOutbox(
  { newFile, open }: ReturnType<typeof useFiles>,
  changes: Parameters<typeof sampleEmailEndpoint>[0] = {},
) {
  const clock = new ManualClock();
  const opened = await open(newFile());
  const { events, records, store: log } = opened;
  const sent: { readonly id: string; readonly mail: Mail }[] = [];
  const told: ServiceEvent[] = [];
  const state: State = { answer: MAIL_TAKEN, isSick: false, isReadOnly: false };
  const mail: MailSender = {
    fault: undefined,
    send: async ({ id, mail }) => {
      if (state.fault !== undefined) throw state.fault;
      sent.push({ id, mail });
      return state.answer;
    },
    close: () => undefined,
  };
  const store: EventStore = new Proxy(events, {
    get: (target, name: keyof EventStore) => {
      const isRefused = state.isSick || (state.isReadOnly && name === 'noteAttempt');
      if (!isRefused) return target[name];
      return () => Promise.reject(new StoreUnavailableError('full'));
    },
  });
  const observer = { observe: (event: ServiceEvent) => void told.push(event) };
  const parts = { clock, ids: { fraction: () => 0.5 }, store, mail, observer };
  const endpoint = sampleEmailEndpoint({ createdAtMs: clock.wallMs(), ...changes });
  let outbox = new MailOutbox(parts, await events.putEndpoint(endpoint));
  const idle = async () => {
    for (let turns = 0; turns < 6; turns += 1) {
      await log.probe();
      await events.findEvent('none');
    }
  };
  let number = 0;
  return {
    ...{ clock, events, records, sent, told, state, idle, log },
    get outbox() {
      return outbox;
    },
    /** What runs every ten seconds. */
    look: async () => {
      outbox.nudge();
      await idle();
    },
    restart: async () => {
      outbox.stop();
      const [stored] = await events.listEndpoints();
      if (stored !== undefined) outbox = new MailOutbox(parts, stored);
    },
    down: async (outage: Partial<Outage> = {}): Promise<Outage> => {
      const begun = { ...FCM, beganAtMs: clock.wallMs(), ...outage };
      await records.recordOutage(begun);
      return begun;
    },
    up: (outage: Outage) => records.recordOutage({ ...outage, endedAtMs: clock.wallMs() }),
    expire: async (count: number, reason = 'timeout') => {
      for (let left = count; left > 0; left -= 1) {
        number += 1;
        const delivery = sampleDelivery(number);
        await log.insert(accept(delivery));
        const next = { status: 'expired', reason } as const;
        await log.settle(settlement(delivery, next, { wallMs: clock.wallMs() }));
      }
    },
  };
}

type RunningMailOutbox = Awaited<ReturnType<typeof setupMailOutbox>>;

/** The mails in their order: for an alert the types of its troubles, else the kind. */
export function kinds({ sent }: RunningMailOutbox): readonly string[] {
  return sent.map(({ mail }) =>
    mail.kind === 'alert' ? mail.troubles.map(({ type }) => type).join('+') : mail.kind,
  );
}

export function countsIn({ sent }: RunningMailOutbox, at: number): readonly string[] {
  const mail = sent.at(at)?.mail;
  if (mail?.kind !== 'digest') return [];
  return mail.counts.map(({ type, reason, count }) => `${type} ${reason} ${count}`);
}

// A phone that sends receipts, and its service, in virtual time.

import { expect } from 'vitest';
import type { AppSettings } from '../../../src/config/app-settings.ts';
import type { Notification } from '../../../src/core/notification.ts';
import {
  call,
  createVirtualCore,
  type Push,
  type VirtualCore,
  type VirtualCoreOptions,
} from '../../support/virtual-core.ts';

const URL = 'https://nds.example.com';
const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const PHONE = 'phone:APA91b';
const KNOCKING: AppSettings = { receipts: true, second_knock: true };

export function start(options: VirtualCoreOptions = {}): Promise<VirtualCore> {
  const environment = { NOTIFY_EXTERNAL_URL: URL, ...options.environment };
  return createVirtualCore({ settings: KNOCKING, ...options, environment });
}

let payments = 0;
let questions = 0;

/** A payment for the phone: another one each time. */
export function pay(virtual: VirtualCore, given: Partial<Notification> = {}) {
  payments += 1;
  return call(virtual, PHONE, { payload: `{"payment_hash":"${payments}"}`, ...given });
}

export function sendReceipt(
  virtual: VirtualCore,
  push: Push | undefined,
  body: object = {},
): boolean {
  const id = push?.receipt?.r.slice(`${URL}/r/`.length) ?? '';
  const said = { stage: 'started', n: push?.receipt?.n, ...body };
  return virtual.core.receipts?.take(id, Buffer.from(JSON.stringify(said))) ?? false;
}

/** A payment for each of these phones. */
export function payAll(virtual: VirtualCore, phones: readonly string[]): void {
  for (const token of phones) {
    payments += 1;
    call(virtual, token, { payload: `{"payment_hash":"${payments}"}` });
  }
}

/** The phone wakes after each of these times, a minute after the previous one. */
export async function wakes(virtual: VirtualCore, afterMs: readonly number[]): Promise<void> {
  for (const wakeMs of afterMs) {
    pay(virtual);
    await virtual.clock.run(40 + wakeMs);
    expect(sendReceipt(virtual, virtual.pushes.at(-1))).toBe(true);
    await virtual.clock.run(2 * MINUTE);
  }
}

/** A question that the phone answers a second later. */
export async function askAndReply(virtual: VirtualCore) {
  questions += 1;
  let replyId = '';
  const recipient = {
    target: { app: 'default', platform: 'android', token: PHONE },
    source: 'notify',
  } as const;
  const reply = virtual.core.asker.ask(
    {
      recipient,
      key: `question ${questions}`,
      deadlineMs: 50_000,
      notification: (id) => {
        replyId = id;
        return { type: 'invoice_request', payload: '{}', title: 'Asked', lifetimeMs: 50_000 };
      },
    },
    new AbortController().signal,
  );
  await virtual.clock.run(1_000);
  await virtual.core.exchange.deliver(replyId, Buffer.from('lni1'));
  return await reply;
}

export function knocksOf(virtual: VirtualCore): readonly Push[] {
  return virtual.pushes.filter(({ receipt }) => receipt?.n === 2);
}

export function results(virtual: VirtualCore): readonly string[] {
  return virtual.events.flatMap((event) => (event.name === 'knock_judged' ? [event.result] : []));
}

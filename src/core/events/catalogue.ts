// The events that can be sent to the vendor's backend, and which of them an endpoint asked for.

import type { DeliveryStatus } from '../delivery.ts';
import type { Endpoint } from '../ports/events.ts';

/** Types with `named` must be asked for by name: nearly every push has such an event. */
export const EVENTS = {
  'delivery.delivered': { named: true, when: 'Apple or Google took the push' },
  'delivery.woke': { named: true, when: 'the phone said that the push woke it' },
  'delivery.no_wake': {
    named: false,
    when: 'the push was taken, and a phone that sends receipts sent none',
  },
  'delivery.expired': { named: false, when: 'the push could not be sent in its useful life' },
  'delivery.unregistered': { named: false, when: 'the token is dead: the app must register again' },
  'delivery.rejected': {
    named: false,
    when: 'the push ended undelivered for another reason, which `reason` names',
  },
  'device.silent': { named: false, when: 'a device that used to send receipts sends none' },
  'device.returned': { named: false, when: 'a silent device sent a receipt' },
  'device.quarantined': { named: false, when: 'a token is not sent to for a while' },
  'provider.down': { named: false, when: 'a provider fails for an app' },
  'provider.up': { named: false, when: 'a provider that was down or misconfigured works' },
  'provider.misconfigured': { named: false, when: 'a provider refuses the credentials of an app' },
  'endpoint.disabled': { named: false, when: 'another endpoint was disabled' },
  'events.dropped': { named: false, when: 'events of this endpoint were deleted unsent' },
  'test.ping': { named: false, when: 'somebody tested the endpoint' },
} as const satisfies Record<string, { readonly named: boolean; readonly when: string }>;

export type EventType = keyof typeof EVENTS;

/** What is mailed to e-mail endpoints at once. Everything else waits for the digest. */
export const ALERTS = [
  'provider.down',
  'provider.misconfigured',
  'endpoint.disabled',
] as const satisfies readonly EventType[];

/** Mails that are not about one event of the table. */
const MAILS = ['mail.digest', 'mail.store_failed', 'mail.endpoint_failing'] as const;

export type MailType = (typeof MAILS)[number];

export function isMailType(name: string): name is MailType {
  return MAILS.some((type) => type === name);
}

/** Sent to an endpoint whether it asked for them or not; they are not in the table. */
const TOLD_ANYWAY: ReadonlySet<string> = new Set<EventType>(['events.dropped', 'test.ping']);

const NAMES = Object.keys(EVENTS).filter(isEventType);

export function isEventType(name: string): name is EventType {
  return Object.hasOwn(EVENTS, name);
}

/** What may be asked for: every type that is not always sent, `*`, and groups such as `delivery.*`. */
export function enabledEventNames(): readonly string[] {
  const types = NAMES.filter((name) => !TOLD_ANYWAY.has(name));
  const groups = new Set(types.map((name) => `${name.slice(0, name.indexOf('.'))}.*`));
  return ['*', ...groups, ...types];
}

/** The types that a list of names and groups stands for. */
export function typesOf(enabled: readonly string[]): ReadonlySet<EventType> {
  const isAsked = (type: EventType) =>
    enabled.includes(type) ||
    (!EVENTS[type].named &&
      (enabled.includes('*') || enabled.includes(`${type.slice(0, type.indexOf('.'))}.*`)));
  return new Set(NAMES.filter((type) => !TOLD_ANYWAY.has(type) && isAsked(type)));
}

/** What an endpoint asked for. */
export interface Wish {
  readonly id: string;
  /** Absent for all apps. */
  readonly app?: string | undefined;
  readonly types: ReadonlySet<string>;
}

export function wishOf({ id, app, enabledEvents }: Endpoint): Wish {
  return { id, app, types: typesOf(enabledEvents) };
}

/** An endpoint gets no events about itself. Events that concern no app go to all endpoints. */
export function isWished(
  { id, app, types }: Wish,
  event: {
    readonly type: string;
    readonly app?: string | null | undefined;
    readonly endpointId?: string | null | undefined;
  },
): boolean {
  const isOfApp = app === undefined || (event.app ?? app) === app;
  return isOfApp && types.has(event.type) && event.endpointId !== id;
}

/** The event for the end of a delivery. */
export function eventOfEnd(status: Exclude<DeliveryStatus, 'queued'>): EventType {
  switch (status) {
    case 'delivered':
      return 'delivery.delivered';
    case 'unregistered':
      return 'delivery.unregistered';
    case 'expired':
      return 'delivery.expired';
    case 'rejected':
    case 'misconfigured':
      return 'delivery.rejected';
  }
}

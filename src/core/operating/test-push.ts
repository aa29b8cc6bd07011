// A push that an operator sends to see how it is delivered: to a token, a handle or a device, of any type, through the
// same checks, lane and log as every other.

import type { Dispatch, Dispatcher } from '../answering/dispatcher.ts';
import { type CurrentRules, notificationFor, typeNotSupported } from '../app-rules.ts';
import type { DeliveryStatus, Origin } from '../delivery.ts';
import { handleKey, recipientOf } from '../devices/registry.ts';
import { ServiceError } from '../errors.ts';
import type { Notification, ParsedNotification } from '../notification.ts';
import type { Clock } from '../ports/clock.ts';
import type { Device, DeviceStore, Door } from '../ports/devices.ts';
import type { Ids } from '../ports/ids.ts';
import type { EventNamed } from '../ports/observer.ts';
import type { ReplyExchange } from '../ports/replies.ts';
import type { SendEnd } from '../sending/endings.ts';
import type { ProviderName, Recipient, Target } from '../target.ts';
import type { LiveEvents } from './live-events.ts';
import { samplePayload } from './sample-payload.ts';

/** The source of these pushes in the log. */
export const TEST_SOURCE = 'test';
/** The first attempt, and the one that follows an uncertain end at once. */
const WAIT_MS = 5_000;

export interface TestPushParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly devices: DeviceStore;
  readonly doors: readonly Door[];
  readonly dispatcher: Dispatcher;
  readonly rules: CurrentRules;
  readonly events: LiveEvents;
  readonly exchange: ReplyExchange;
  readonly externalUrl: string | undefined;
}

export type Addressee =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'handle'; readonly handle: string }
  | { readonly kind: 'device'; readonly id: string };

export interface TestPush {
  readonly to: Addressee;
  readonly type: string;
  /** JSON text; a sample of the type if absent. */
  readonly payload?: string | undefined;
  /** How long to wait for the phone's reply, for a type that asks for one. */
  readonly replyWithinMs: number;
  readonly origin: Origin;
}

export interface TestPushResult {
  readonly id: string;
  /** `under_way` if no attempt has ended yet. */
  readonly status: DeliveryStatus | 'under_way';
  readonly reason?: string | undefined;
  readonly app: string;
  readonly provider: ProviderName;
  readonly deviceId?: string | undefined;
  readonly attempts: readonly EventNamed<'attempt_ended'>[];
  /** Whether the log has it. */
  readonly isLogged: boolean;
  /** Absent if none came. */
  readonly reply?: { readonly afterMs: number; readonly bytes: number } | undefined;
}

/** Rejects with a `ServiceError` if the push is refused before an attempt, as a caller's would be. */
export async function pushTest(parts: TestPushParts, push: TestPush): Promise<TestPushResult> {
  const recipient = await recipientFor(parts, push.to);
  const reply = openReply(parts);
  try {
    const notification = notificationOf(parts, push, { recipient, replyUrl: reply.url });
    await reply.opened;
    const sent = await sendAndWatch(parts, notification, { ...recipient, origin: push.origin });
    const { delivery, end } = sent;
    const isAwaited = push.replyWithinMs > 0 && end?.next.status === 'delivered';
    return {
      id: delivery.id,
      status: end?.next.status ?? 'under_way',
      reason: reasonOf(end, sent.attempts),
      app: delivery.target.app,
      provider: delivery.provider,
      deviceId: delivery.deviceId,
      attempts: sent.attempts,
      isLogged: sent.isLogged,
      reply: isAwaited ? await reply.within(push.replyWithinMs) : undefined,
    };
  } finally {
    reply.close();
  }
}

async function recipientFor(parts: TestPushParts, to: Addressee): Promise<Recipient> {
  switch (to.kind) {
    case 'target':
      return { target: to.target, source: TEST_SOURCE };
    case 'device': {
      const device = await parts.devices.findDevice(to.id);
      if (device === undefined) throw new ServiceError('unknown_device');
      return recipientOf(device, TEST_SOURCE);
    }
    case 'handle':
      return recipientOf(await deviceOfHandle(parts, to.handle), TEST_SOURCE);
  }
}

/** A handle is valid at one door; here it is looked for at each. */
async function deviceOfHandle(
  { ids, devices, doors }: TestPushParts,
  handle: string,
): Promise<Device> {
  const found = await Promise.all(
    doors.map((door) => devices.findDeviceByHandle(ids.fingerprint(handleKey(door, handle)))),
  );
  const device = found.find((one) => one !== undefined);
  if (device === undefined) throw new ServiceError('unknown_handle');
  return device;
}

function notificationOf(
  { clock, ids, rules }: TestPushParts,
  { type, payload }: TestPush,
  { recipient, replyUrl }: { readonly recipient: Recipient; readonly replyUrl: string },
): Notification {
  const sample = samplePayload(type, { id: ids.secret(), replyUrl, wallMs: clock.wallMs() });
  const parsed: ParsedNotification = { type, payload: payload ?? JSON.stringify(sample) };
  const notification = notificationFor(rules.of(recipient.target.app), parsed, recipient);
  if (notification === undefined) throw typeNotSupported();
  return notification;
}

async function sendAndWatch(
  { clock, dispatcher, events }: TestPushParts,
  notification: Notification,
  recipient: Recipient,
) {
  const attempts: EventNamed<'attempt_ended'>[] = [];
  let dispatch: Dispatch | undefined;
  const unwatch = events.watch({
    onEvent: ({ event }) => {
      if (event.name !== 'attempt_ended' || event.deliveryId !== dispatch?.delivery.id) return;
      attempts.push(event);
    },
  });
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = clock.after(WAIT_MS, () => resolve(undefined));
  try {
    dispatch = dispatcher.dispatch(notification, recipient);
    const { delivery } = dispatch;
    const end = await Promise.race([dispatch.end, over]);
    const isLogged = (await Promise.race([dispatch.stored, over])) === true;
    return { delivery, end, isLogged, attempts };
  } finally {
    timer.cancel();
    unwatch();
  }
}

/** Why it is not delivered; for a waiting delivery, why its last attempt failed. */
function reasonOf(
  end: SendEnd | undefined,
  attempts: readonly EventNamed<'attempt_ended'>[],
): string | undefined {
  const next = end?.next;
  if (next?.status === 'delivered') return undefined;
  const reason = next === undefined || next.status === 'queued' ? undefined : next.reason;
  return reason ?? attempts.at(-1)?.reason;
}

/** The address at which the phone would reply; it opens before the push. */
function openReply({ clock, exchange, externalUrl = '' }: TestPushParts) {
  const replyId = exchange.newId();
  const startMs = clock.nowMs();
  const { promise, resolve } = Promise.withResolvers<TestPushResult['reply']>();
  const onReply = ({ length: bytes }: Uint8Array) =>
    resolve({ afterMs: Math.round(clock.nowMs() - startMs), bytes });
  return {
    url: `${externalUrl}/api/v1/response/${replyId}`,
    opened: exchange.open(replyId, onReply),
    within: async (ms: number) => {
      const timer = clock.after(ms, () => resolve(undefined));
      const reply = await promise;
      timer.cancel();
      return reply;
    },
    close: () => exchange.close(replyId),
  };
}

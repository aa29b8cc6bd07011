// What the core reports to its observers, as lines of the log: every event with its level and its fields.
// docs/logging.md lists this table, and the compiler compares it with the events of the core.

import type { RefusedDelivery, ServiceEvent } from '../core/ports/observer.ts';
import type { FieldName, Level, Line } from './log-fields.ts';
import { stackOf } from './stack.ts';

/** The event of the core with this name. */
type EventOf<Name, Event = ServiceEvent> = Event extends { readonly name: infer Names }
  ? Name extends Names
    ? Event
    : never
  : never;

type PartOfLine = Readonly<Record<string, FieldName>>;
type Fields = Readonly<Record<string, FieldName | PartOfLine>>;

type ObservedLines = {
  readonly [Name in ServiceEvent['name']]: Line & {
    /** Maps the event's names to those of the log; for a nested part, its own map. */
    readonly fields: {
      readonly [Field in Exclude<keyof EventOf<Name>, 'name'>]-?: FieldName | PartOfLine;
    };
  };
};

const LANE = { app: 'app', provider: 'provider' } as const;
const PHONES = { app: 'app', platform: 'platform' } as const;
const DELIVERY = { deliveryId: 'delivery_id' } as const;
const REASON = { reason: 'reason' } as const;
const REFUSED: { readonly [Field in keyof RefusedDelivery]-?: FieldName } = {
  code: 'code',
  limit: 'limit',
  tokenHash: 'token_hash',
  handleHash: 'handle_hash',
  subjectHash: 'subject_hash',
  deviceId: 'device_id',
  fields: 'fields',
  nodeId: 'node_id',
  addressHash: 'address_hash',
  deliveryId: 'delivery_id',
  hasDomain: 'has_domain',
};

export const OBSERVED: ObservedLines = {
  delivery_accepted: {
    level: 'debug',
    when: 'a call was accepted',
    fields: { ...LANE, type: 'type', ...DELIVERY },
  },
  attempt_ended: {
    level: 'debug',
    when: 'an attempt at a provider ended',
    fields: {
      ...LANE,
      type: 'type',
      number: 'number',
      outcome: 'outcome',
      ...REASON,
      latencyMs: 'latency_ms',
      ...DELIVERY,
    },
  },
  delivery_settled: {
    level: 'info',
    errorIf: 'status is `misconfigured`',
    when: 'a delivery ended',
    fields: {
      ...LANE,
      type: 'type',
      status: 'status',
      ...REASON,
      attempts: 'attempts',
      sinceReceiptMs: 'since_receipt_ms',
      ...DELIVERY,
    },
  },
  late_answer: {
    level: 'debug',
    when: 'a provider answered after the deadline of its attempt',
    fields: { ...LANE, outcome: 'outcome', sinceStartMs: 'since_start_ms', ...DELIVERY },
  },
  internal_fault: {
    level: 'error',
    when: 'an internal error ended the operation in which it occurred, or the process',
    fields: { where: 'where', ...DELIVERY, cause: 'cause' },
  },
  token_held: {
    level: 'info',
    when: 'the provider holds back the pushes of one token',
    fields: { ...LANE, ...REASON, tokenHash: 'token_hash', heldForMs: 'held_for_ms' },
  },
  unknown_type_ignored: {
    level: 'info',
    when: 'news of a type that its app does not know was answered 200 `ignored`',
    fields: { app: 'app', type: 'type', id: 'delivery_id' },
  },
  duplicate_answered: {
    level: 'info',
    when: 'a call repeated an earlier one',
    fields: { type: 'type', ...DELIVERY },
  },
  key_unclaimed: {
    level: 'warn',
    when: 'a push went out although the database did not say in time whether another machine has the same call',
    fields: { ...LANE, ...DELIVERY },
  },
  lease_lost: {
    level: 'warn',
    when: 'the end of a delivery came too late: it was already being sent again',
    fields: DELIVERY,
  },
  delivery_overdue: {
    level: 'warn',
    when: 'a delivery ended `expired` because nothing could send it in time',
    fields: DELIVERY,
  },
  breaker_changed: {
    level: 'info',
    errorIf: 'state is `open`',
    when: 'a provider began to fail, or works again',
    fields: { ...LANE, state: 'state', ...REASON },
  },
  token_quarantined: {
    level: 'info',
    when: 'a token is no longer sent to',
    fields: { ...LANE, ...REASON, tokenHash: 'token_hash' },
  },
  condemning_stopped: {
    level: 'error',
    when: 'many tokens that worked are suddenly reported dead; none is quarantined meanwhile',
    fields: { ...LANE, detail: 'detail' },
  },
  condemning_resumed: {
    level: 'info',
    when: 'dead tokens are quarantined again',
    fields: { ...LANE, detail: 'detail' },
  },
  store_failed: { level: 'error', when: 'the database fails', fields: REASON },
  store_recovered: {
    level: 'info',
    when: 'the database takes rows again',
    fields: { ...REASON, unlogged: 'unlogged' },
  },
  refusals_dropped: {
    level: 'warn',
    when: 'refused calls left no row, because the database failed',
    fields: { calls: 'count' },
  },
  signature_refused: {
    level: 'info',
    errorIf: 'repeated is true',
    when: 'a signature or timestamp was wrong',
    fields: { source: 'source', app: 'app', code: 'code', repeated: 'repeated' },
  },
  devices_pruned: {
    level: 'info',
    when: 'devices were deleted because of their age',
    fields: { dead: 'dead', unseen: 'unseen' },
  },
  store_batch_ended: {
    level: 'debug',
    when: 'a transaction of the database ended',
    fields: { operations: 'operations', durationMs: 'duration_ms' },
  },
  request_answered: {
    level: 'debug',
    when: 'a request over HTTP was answered',
    fields: {
      method: 'method',
      route: 'route',
      status: 'status',
      durationMs: 'duration_ms',
      door: 'door',
      isCall: 'is_call',
      app: 'app',
      type: 'type',
      told: 'told',
      deliveries: 'deliveries',
      code: 'code',
      refused: REFUSED,
      requestId: 'request_id',
    },
  },
  receipt_taken: {
    level: 'debug',
    when: 'a phone said that a push started it',
    fields: {
      ...PHONES,
      type: 'type',
      stage: 'stage',
      n: 'n',
      why: 'why',
      isFirst: 'is_first',
      sincePushMs: 'since_push_ms',
      ...DELIVERY,
    },
  },
  knock_sent: {
    level: 'info',
    when: 'a second push of one delivery was sent',
    fields: { ...PHONES, outcome: 'outcome', ...DELIVERY },
  },
  knock_judged: {
    level: 'info',
    when: 'the result of a second push is known',
    fields: { ...PHONES, result: 'result', ...DELIVERY },
  },
  device_silent: {
    level: 'info',
    when: 'a phone that used to send receipts sent none for several pushes over a day',
    fields: { ...PHONES, tokenHash: 'token_hash', unanswered: 'unanswered' },
  },
  device_returned: {
    level: 'info',
    when: 'a silent phone sent a receipt',
    fields: { ...PHONES, tokenHash: 'token_hash' },
  },
  device_demoted: {
    level: 'info',
    when: 'Android delivered a push with less priority than was asked for',
    fields: { ...PHONES, tokenHash: 'token_hash' },
  },
  event_sent: {
    level: 'debug',
    when: 'an event was sent to an endpoint, or a call to it failed',
    fields: { type: 'type', outcome: 'outcome', latencyMs: 'latency_ms' },
  },
  endpoint_failing: {
    level: 'warn',
    when: 'an endpoint has taken no event for an hour, a day, three days',
    fields: { endpointId: 'endpoint_id', ...REASON, failingForMs: 'failing_for_ms' },
  },
  mail_failed: {
    level: 'warn',
    when: 'a mail to an e-mail endpoint could not be sent; it is tried again, and this line is written once',
    fields: { endpointId: 'endpoint_id', ...REASON, status: 'status' },
  },
  endpoint_disabled: {
    level: 'error',
    when: 'an endpoint answered 410, or failed for five days, and gets no more events',
    fields: { endpointId: 'endpoint_id', ...REASON },
  },
  reply_waited: {
    level: 'info',
    when: 'a caller no longer waits for a device’s reply',
    fields: { end: 'end', sincePushMs: 'since_push_ms', ...DELIVERY },
  },
};

/** The event's fields in the names of the log. */
export function fieldsOf(event: ServiceEvent): Record<string, unknown> {
  return pick(event, OBSERVED[event.name].fields);
}

function pick(part: object, fields: Fields): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  const values: Readonly<Record<string, unknown>> = { ...part };
  for (const [from, to] of Object.entries(fields)) {
    const value = values[from];
    if (typeof to === 'string') picked[to] = readable(to, value);
    // Nearly always there is one; the table `refusals` has all.
    else if (Array.isArray(value) && value.length > 0) Object.assign(picked, pick(value[0], to));
    else if (typeof value === 'object' && value !== null) Object.assign(picked, pick(value, to));
  }
  return picked;
}

/** The names that an event's fields have in the log. */
export function namesIn(fields: Fields): readonly FieldName[] {
  return Object.values(fields).flatMap((field) =>
    typeof field === 'string' ? field : Object.values(field),
  );
}

function readable(field: FieldName, value: unknown): unknown {
  if (field === 'cause') return stackOf(value);
  // Rounded, because clocks count in nanoseconds and people do not.
  return typeof value === 'number' ? Math.round(10 * value) / 10 : value;
}

export function levelOf(event: ServiceEvent): Level {
  return isError(event) ? 'error' : OBSERVED[event.name].level;
}

function isError(event: ServiceEvent): boolean {
  switch (event.name) {
    case 'delivery_settled':
      return event.status === 'misconfigured';
    case 'signature_refused':
      return event.repeated;
    case 'breaker_changed':
      return event.state === 'open';
    default:
      return false;
  }
}

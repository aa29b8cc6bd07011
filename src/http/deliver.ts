// What every webhook route does with a parsed call: push and answer, ignore, or hold the caller for a reply.
//
// A 200 has an empty body: lspd neither reads nor closes the body of a 2xx, and Go then never frees the connection and
// two goroutines. The headers say what happened.

import type { Asker } from '../core/answering/asker.ts';
import { type BroadcastAnswer, broadcast } from '../core/answering/broadcast.ts';
import type { Dispatcher } from '../core/answering/dispatcher.ts';
import {
  type CurrentRules,
  knowsType,
  notificationFor,
  typeNotSupported,
} from '../core/app-rules.ts';
import type { Origin } from '../core/delivery.ts';
import { ServiceError } from '../core/errors.ts';
import { completeNotification, type ParsedNotification } from '../core/notification.ts';
import type { Observer } from '../core/ports/observer.ts';
import type { Parsed } from '../core/ports/source.ts';
import type { Recipient } from '../core/target.ts';
import type { HttpContext } from './context.ts';
import { hangUpSignal } from './hang-up.ts';
import { routeOf } from './observed.ts';

export interface DeliveryParts {
  readonly dispatcher: Dispatcher;
  readonly asker: Asker;
  readonly rules: CurrentRules;
  readonly observer: Observer;
  /** Where devices reach the service, without a slash at the end; absent if it was not configured. */
  readonly externalUrl: string | undefined;
  /** How long a caller waits for a device's reply. */
  readonly replyDeadlineMs: number;
}

type Question = Extract<Parsed, { readonly kind: 'question' }>;

/** For one device. */
export async function deliver(
  parts: DeliveryParts,
  c: HttpContext,
  { parsed, recipient: named }: { readonly parsed: Parsed; readonly recipient: Recipient },
): Promise<Response> {
  const recipient = { ...named, origin: originOf(c, named, { isBroadcast: false }) };
  c.set('app', recipient.target.app);
  c.set('recipient', recipient);
  switch (parsed.kind) {
    case 'notification': {
      c.set('type', parsed.notification.type);
      c.set('subject', parsed.notification.subject);
      const { app } = recipient.target;
      const notification = notificationFor(parts.rules.of(app), parsed.notification, recipient);
      if (notification === undefined) return ignoreUnknown(parts, c, app, parsed.notification);
      const answer = await parts.dispatcher.accept(notification, recipient);
      c.set('deliveries', [answer]);
      return succeed(c, answer);
    }
    case 'ignored':
      return succeed(c, { id: c.get('requestId'), status: 'ignored' });
    case 'question':
      return passOn(c, await ask(parts, c, { question: parsed, recipient }));
  }
}

/** For every device of a user of an app; a question cannot be put to several. */
export async function deliverToUser(
  parts: DeliveryParts,
  c: HttpContext,
  {
    parsed,
    app,
    recipients,
  }: {
    readonly parsed: Parsed;
    readonly app: string;
    readonly recipients: readonly Recipient[];
  },
): Promise<Response> {
  const id = c.get('requestId');
  if (parsed.kind !== 'notification') return succeed(c, { id, status: 'ignored' });
  c.set('type', parsed.notification.type);
  c.set('subject', parsed.notification.subject);
  const [first, ...others] = recipients;
  if (first !== undefined && others.length === 0) c.set('recipient', first);
  const rules = parts.rules.of(app);
  const sent = recipients.flatMap((named) => {
    const recipient = { ...named, origin: originOf(c, named, { isBroadcast: true }) };
    const notification = notificationFor(rules, parsed.notification, recipient);
    return notification === undefined ? [] : [{ notification, recipient }];
  });
  if (recipients.length > 0 && sent.length === 0) {
    return ignoreUnknown(parts, c, app, parsed.notification);
  }
  const onEnds = (ends: BroadcastAnswer['deliveries']) =>
    c.set(
      'deliveries',
      ends.map((end, place) => ({ ...end, recipient: sent[place]?.recipient })),
    );
  return succeed(c, await broadcast(parts.dispatcher, { id, sent, onEnds }));
}

/** What the log keeps about the call beside its delivery. */
function originOf(
  c: HttpContext,
  { source }: Recipient,
  { isBroadcast }: { readonly isBroadcast: boolean },
): Origin {
  return { door: routeOf(c), source, requestId: c.get('requestId'), isBroadcast };
}

/** News with a type that the app does not know: a push would only make the phone show a bare title. */
function ignoreUnknown(
  { observer }: DeliveryParts,
  c: HttpContext,
  app: string,
  { type }: ParsedNotification,
): Response {
  const id = c.get('requestId');
  observer.observe({ name: 'unknown_type_ignored', id, app, type });
  c.set('ignoredFor', typeNotSupported().code);
  return succeed(c, { id, status: 'ignored' });
}

/** The caller gets the device's bytes or a problem, never our status: Boltz would read it as the invoice. */
async function ask(
  { externalUrl, asker, rules: all, replyDeadlineMs }: DeliveryParts,
  c: HttpContext,
  { question, recipient }: { readonly question: Question; readonly recipient: Recipient },
): Promise<Uint8Array> {
  if (externalUrl === undefined) throw new ServiceError('external_url_missing');
  c.set('type', question.type);
  c.set('subject', question.key);
  const rules = all.of(recipient.target.app);
  if (!knowsType(rules, question.type)) throw typeNotSupported();
  const { body, deliveryId } = await asker.ask(
    {
      recipient,
      key: question.key,
      deadlineMs: replyDeadlineMs,
      notification: (replyId) => {
        const replyUrl = `${externalUrl}/api/v1/response/${replyId}`;
        const parsed = question.notification(replyUrl);
        return completeNotification(parsed, rules.catalogue, recipient.locale);
      },
    },
    hangUpSignal(c),
  );
  c.set('deliveries', [{ id: deliveryId, status: REPLIED }]);
  return body;
}

/** The answer to a call that was not refused. */
interface Told {
  readonly id: string;
  readonly status: string;
}

/** An empty body on the wire: without the header Node would send it chunked, which leaks like any other. */
export const EMPTY = { 'Content-Length': '0' };
export const NOT_STORED = { 'Cache-Control': 'no-store' };

/** JSON goes only to a caller whose `Accept` names it; proxies add a wildcard, which does not count. */
export function succeed(c: HttpContext, told: Told): Response {
  c.set('told', told.status);
  const headers = { 'Delivery-Id': told.id, 'Delivery-Status': told.status, ...NOT_STORED };
  if (namesJson(c.env.incoming.headers.accept ?? '')) return c.json(told, 200, headers);
  return c.body(null, 200, { ...headers, ...EMPTY });
}

const REPLIED = 'replied';

/** What a device sent as its reply, byte for byte. */
function passOn(c: HttpContext, bytes: Uint8Array): Response {
  c.set('told', REPLIED);
  return c.body(new Uint8Array(bytes), 200, { 'Content-Type': 'application/json', ...NOT_STORED });
}

function namesJson(accept: string): boolean {
  return accept.split(',').some((entry) => {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    return type === 'application/json' && !parameters.some((part) => /^q=0(\.0*)?$/.test(part));
  });
}

// What every door does with a parsed webhook: push and answer, ignore, or hold the caller for a reply.

import type { Asker } from '../core/answering/asker.ts';
import { broadcast } from '../core/answering/broadcast.ts';
import type { Dispatcher } from '../core/answering/dispatcher.ts';
import { ServiceError } from '../core/errors.ts';
import { completeNotification, type Kind } from '../core/notification.ts';
import type { Parsed } from '../core/ports/source.ts';
import type { Recipient } from '../core/target.ts';
import type { Call, RequestIds } from './door.ts';
import { hangUpSignal } from './hang-up.ts';
import { type HttpAnswer, JSON_HEADERS, json } from './http-answer.ts';

export interface Answering {
  readonly dispatcher: Dispatcher;
  readonly asker: Asker;
  readonly catalogue: Readonly<Record<string, Kind>>;
  readonly requestIds: RequestIds;
  /** Where devices reach the service, without a slash at the end; absent if it was not configured. */
  readonly externalUrl: string | undefined;
  /** How long a caller waits for a device's reply. */
  readonly replyDeadlineMs: number;
}

type Question = Extract<Parsed, { readonly kind: 'question' }>;

/** For one device. */
export async function answerParsed(
  answering: Answering,
  call: Call,
  { parsed, recipient }: { readonly parsed: Parsed; readonly recipient: Recipient },
): Promise<HttpAnswer> {
  switch (parsed.kind) {
    case 'notification': {
      const notification = completeNotification(parsed.notification, answering.catalogue);
      return json(await answering.dispatcher.accept(notification, recipient));
    }
    case 'ignored':
      return json({ id: answering.requestIds.of(call), status: 'ignored' });
    case 'question':
      return await ask(answering, call, { question: parsed, recipient });
  }
}

/** For every device of a user; a question cannot be put to several. */
export async function answerForUser(
  answering: Answering,
  call: Call,
  { parsed, recipients }: { readonly parsed: Parsed; readonly recipients: readonly Recipient[] },
): Promise<HttpAnswer> {
  const id = answering.requestIds.of(call);
  if (parsed.kind !== 'notification') return json({ id, status: 'ignored' });
  const notification = completeNotification(parsed.notification, answering.catalogue);
  return json(await broadcast(answering.dispatcher, { id, notification, recipients }));
}

/** The caller gets the device's bytes or a problem, never our status: Boltz would read it as the invoice. */
async function ask(
  answering: Answering,
  call: Call,
  { question, recipient }: { readonly question: Question; readonly recipient: Recipient },
): Promise<HttpAnswer> {
  const { externalUrl, asker, catalogue, replyDeadlineMs } = answering;
  if (externalUrl === undefined) throw new ServiceError('external_url_missing');
  const body = await asker.ask(
    {
      recipient,
      key: question.key,
      deadlineMs: replyDeadlineMs,
      notification: (replyId) => {
        const replyUrl = `${externalUrl}/api/v1/response/${replyId}`;
        return completeNotification(question.notification(replyUrl), catalogue);
      },
    },
    hangUpSignal(call.outgoing),
  );
  return { status: 200, headers: JSON_HEADERS, body };
}

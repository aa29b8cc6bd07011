// The Breez family's door: POST /api/v1/notify and /notify, drop-in for breez/notify.

import type { Asker } from '../core/asker.ts';
import type { Dispatcher } from '../core/dispatcher.ts';
import { ServiceError } from '../core/errors.ts';
import { completeNotification, type Kind } from '../core/notification.ts';
import type { Parsed } from '../core/source.ts';
import type { Target } from '../core/target.ts';
import { readBody } from './body.ts';
import type { DoorContext, RequestIds } from './door.ts';
import { hangUpSignal } from './hang-up.ts';
import { parseTarget } from './query.ts';

export interface NotifyDoor {
  readonly dispatcher: Dispatcher;
  readonly asker: Asker;
  readonly catalogue: Readonly<Record<string, Kind>>;
  readonly requestIds: RequestIds;
  /** Reads a body of the Breez family; throws `bad_body`. */
  readonly parse: (bytes: Uint8Array) => Parsed;
  /** Where devices reach the service, without a slash at the end; absent if it was not configured. */
  readonly externalUrl: string | undefined;
  /** How long a caller waits for a device's reply. */
  readonly replyDeadlineMs: number;
}

/** Size, query, body, and then whatever the notification asks for. */
export async function handleNotify(door: NotifyDoor, context: DoorContext): Promise<Response> {
  const bytes = await readBody(context.env.incoming);
  const target = parseTarget(context.env.incoming.url ?? '');
  return await handleParsed(door, context, { parsed: door.parse(bytes), target });
}

export async function handleParsed(
  door: NotifyDoor,
  context: DoorContext,
  { parsed, target }: { readonly parsed: Parsed; readonly target: Target },
): Promise<Response> {
  switch (parsed.kind) {
    case 'notification': {
      const notification = completeNotification(parsed.notification, door.catalogue);
      return json(await door.dispatcher.accept(notification, target));
    }
    case 'ignored':
      return json({ id: door.requestIds.of(context), status: 'ignored' });
    case 'question':
      return await ask(door, context, { question: parsed, target });
  }
}

/** The caller gets the device's bytes or a problem, never our status: Boltz would read it as the invoice. */
async function ask(
  door: NotifyDoor,
  context: DoorContext,
  asked: { readonly question: Extract<Parsed, { kind: 'question' }>; readonly target: Target },
): Promise<Response> {
  const { externalUrl, asker, catalogue, replyDeadlineMs } = door;
  if (externalUrl === undefined) throw new ServiceError('external_url_missing');
  const { question, target } = asked;
  const body = await asker.ask(
    {
      target,
      key: question.key,
      deadlineMs: replyDeadlineMs,
      notification: (replyId) => {
        const replyUrl = `${externalUrl}/api/v1/response/${replyId}`;
        return completeNotification(question.notification(replyUrl), catalogue);
      },
    },
    hangUpSignal(context.env.outgoing),
  );
  return new Response(new Uint8Array(body), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}

function json(body: object): Response {
  return new Response(JSON.stringify(body), {
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  });
}

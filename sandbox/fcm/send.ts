// `messages:send`: checks the credential, the project and the message as Google does, then accepts or performs a
// scripted fault. Firebase: "Method: projects.messages.send"
// (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send).
import type { Answer, Exchange } from '../exchange.ts';
import type { Memory } from '../memory.ts';
import { performFault } from '../perform-fault.ts';
import type { ReceivedPush } from '../records.ts';
import { fcmErrorBody, googleErrorBody } from './errors.ts';
import { checkMessage, type FcmMessage, hasAlert, parseSendRequest, titleOf } from './message.ts';
import type { OAuth } from './oauth.ts';

/** Lower-case letters, digits and hyphens, 6 to 30: what Google allows as a project id. */
const PROJECT_ID = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/;
const JSON_HEADERS = { 'content-type': 'application/json; charset=UTF-8' };

/** How a request ended, for the record. */
export interface Decision {
  readonly token: string | undefined;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly id: string | undefined;
  readonly scripted: boolean;
}

export interface SendOptions {
  readonly projectId: string;
  readonly oauth: OAuth;
  readonly memory: Memory;
  /** The number of the first message. */
  readonly firstMessage: number;
}

/** The handler of `POST /v1/projects/{project}/messages:send`. */
export function createSend(
  options: SendOptions,
): (exchange: Exchange, project: string) => Decision {
  const { projectId, oauth, memory, firstMessage } = options;
  let sent = firstMessage - 1;

  return (exchange, project) => {
    if (!oauth.accepts(exchange.headers.authorization)) {
      return refuse(exchange, { status: 401, body: googleErrorBody(401) });
    }
    if (project !== projectId) {
      const status = PROJECT_ID.test(project) ? 403 : 404;
      return refuse(exchange, { status, body: googleErrorBody(status) });
    }
    const request = parseSendRequest(exchange.body);
    if ('malformed' in request) {
      const body = googleErrorBody(400, { violation: request.malformed });
      return refuse(exchange, { status: 400, body, reason: 'INVALID_ARGUMENT' });
    }
    const { message, validateOnly } = request;
    const violation = checkMessage(message);
    if (violation !== undefined) {
      const body = fcmErrorBody('INVALID_ARGUMENT', { status: 400, violation });
      return refuse(exchange, {
        status: 400,
        body,
        reason: 'INVALID_ARGUMENT',
        token: message.token,
      });
    }
    sent += 1;
    // The id is what Google answers to a trial.
    const messageId = validateOnly ? 'fake_message_id' : String(sent);
    const name = `projects/${projectId}/messages/${messageId}`;
    return decide(exchange, { message, name, keep: !validateOnly, memory });
  };
}

/** Answers with Google's error or page, and returns it for the record. */
export function refuse(
  exchange: Exchange,
  answer: Answer & { readonly reason?: string; readonly token?: string | undefined },
): Decision {
  const { status, headers = JSON_HEADERS, body = '', reason, token } = answer;
  exchange.answer({ status, headers, body });
  return { token, status, reason: reason ?? `HTTP ${status}`, id: undefined, scripted: false };
}

interface Sendable {
  readonly message: FcmMessage;
  readonly name: string;
  /** false for `validate_only`, which no phone gets. */
  readonly keep: boolean;
  readonly memory: Memory;
}

function decide(exchange: Exchange, { message, name, keep, memory }: Sendable): Decision {
  const { token } = message;
  const success: Answer = { status: 200, headers: JSON_HEADERS, body: JSON.stringify({ name }) };
  const nowMs = memory.now();
  const push = (): ReceivedPush =>
    record(message, { name, connection: exchange.connection.number, nowMs });
  const fault = memory.faults.take('fcm', token);
  if (fault === undefined) {
    exchange.answer(success);
    if (keep) memory.pushes.add(push());
    return { token, status: 200, reason: undefined, id: name, scripted: false };
  }
  const context = { exchange, success, headers: {}, delays: memory.delays, nowMs };
  const { accepted, status, reason } = performFault(fault, context);
  if (accepted && keep) memory.pushes.add(push());
  return { token, status, reason, id: name, scripted: true };
}

function record(
  message: FcmMessage,
  { name, connection, nowMs }: { name: string; connection: number; nowMs: number },
): ReceivedPush {
  const { android, apns, token = '' } = message;
  const data: Record<string, string> = { ...message.data, ...android?.data };
  for (const [key, value] of Object.entries(apns?.payload ?? {})) {
    if (key !== 'aps') data[key] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  const expiration = Number(apns?.headers?.['apns-expiration'] ?? 0);
  const ios = apns !== undefined && hasAlert(message);
  return {
    provider: 'fcm',
    platform: ios ? 'ios' : 'android',
    token,
    title: titleOf(message),
    data,
    expired: expiration > 0 && expiration * 1000 < nowMs,
    fcm: { name, message, androidPriority: android?.priority, ttl: android?.ttl },
    connection,
    receivedAtMs: nowMs,
  };
}

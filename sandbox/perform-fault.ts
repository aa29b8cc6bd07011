// Performs a scripted fault on one request: what is answered, when, and whether the push counts as taken.
import { constants } from 'node:http2';
import { apnsErrorBody, apnsStatus } from './apns/reasons.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Fault } from './faults.ts';
import { fcmErrorBody, fcmErrorStatus, googleErrorBody } from './fcm/errors.ts';
import { oauthErrorAnswer } from './fcm/oauth.ts';

const HTML_PAGE =
  '<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Error: Server Error</h1></body></html>\n';

/** Answers that wait for their scripted delay; `clear` drops them, so that no timer keeps the process alive. */
export interface Delays {
  after(delayMs: number | undefined, act: () => void): void;
  clear(): void;
}

/** Runs a task later; a test passes its own clock's. */
export type After = (delayMs: number, task: () => void) => { cancel(): void };

const afterRealTime: After = (delayMs, task) => {
  const timer = setTimeout(task, delayMs);
  return { cancel: () => clearTimeout(timer) };
};

export function createDelays(after: After = afterRealTime): Delays {
  const timers = new Set<{ cancel(): void }>();
  return {
    after(delayMs, act) {
      if (delayMs === undefined || delayMs === 0) {
        act();
        return;
      }
      const timer = after(delayMs, () => {
        timers.delete(timer);
        act();
      });
      timers.add(timer);
    },
    clear() {
      for (const timer of timers) timer.cancel();
      timers.clear();
    },
  };
}

export interface FaultContext {
  readonly exchange: Exchange;
  /** The answer that the request would have got. */
  readonly success: Answer;
  /** Headers that every answer has, such as apns-id. */
  readonly headers: Readonly<Record<string, string>>;
  readonly delays: Delays;
  readonly nowMs: number;
}

export interface FaultResult {
  /** Whether the push was taken despite the fault. */
  readonly accepted: boolean;
  /** undefined when no status is sent. */
  readonly status: number | undefined;
  readonly reason: string;
}

export function performFault(fault: Fault, context: FaultContext): FaultResult {
  const { exchange, success, delays } = context;
  switch (fault.kind) {
    case 'delay':
      delays.after(fault.delayMs, () => exchange.answer(success));
      return { accepted: true, status: success.status, reason: fault.kind };
    case 'hang':
      return { accepted: fault.accepted ?? false, status: undefined, reason: fault.kind };
    case 'reset':
      delays.after(fault.delayMs, () => {
        if (fault.scope === 'connection') exchange.connection.reset();
        else exchange.abort(fault.code ?? constants.NGHTTP2_CANCEL);
      });
      return { accepted: fault.accepted ?? false, status: undefined, reason: fault.kind };
    case 'refused_stream':
      exchange.abort(constants.NGHTTP2_REFUSED_STREAM);
      return { accepted: false, status: undefined, reason: fault.kind };
    case 'goaway':
      return performGoAway(fault, context);
    default: {
      const { answer, reason } = renderFault(fault, context.nowMs);
      const headers: Record<string, string> = { ...context.headers, ...answer.headers };
      if (fault.retryAfterSeconds !== undefined) {
        headers['retry-after'] = String(fault.retryAfterSeconds);
      }
      delays.after(fault.delayMs, () => exchange.answer({ ...answer, headers }));
      return { accepted: false, status: answer.status, reason };
    }
  }
}

function performGoAway(
  fault: Extract<Fault, { kind: 'goaway' }>,
  { exchange, success }: FaultContext,
): FaultResult {
  const { connection, stream } = exchange;
  const { code, reason, processed = true } = fault;
  if (processed) {
    connection.goAway({ code, reason });
    exchange.answer(success);
    return { accepted: true, status: success.status, reason: fault.kind };
  }
  connection.goAway({ code, reason, lastStreamId: stream - 2 });
  // Refused explicitly, because no last id below the first stream can be sent: Node takes 0 for "the newest".
  exchange.abort(constants.NGHTTP2_REFUSED_STREAM);
  return { accepted: false, status: undefined, reason: fault.kind };
}

type AnsweredFault = Exclude<
  Fault,
  { kind: 'delay' | 'hang' | 'reset' | 'refused_stream' | 'goaway' }
>;

function renderFault(
  fault: AnsweredFault,
  nowMs: number,
): { readonly answer: Answer; readonly reason: string } {
  const json = { 'content-type': 'application/json; charset=UTF-8' };
  switch (fault.kind) {
    case 'reason': {
      const status = fault.status ?? apnsStatus(fault.reason) ?? 400;
      const timestampMs = fault.timestampMs ?? (status === 410 ? nowMs : undefined);
      const body = apnsErrorBody(fault.reason, timestampMs);
      return { answer: { status, body }, reason: fault.reason };
    }
    case 'fcm_error': {
      const status = fault.status ?? fcmErrorStatus(fault.error);
      const { field } = fault;
      const violation =
        field === undefined ? undefined : { field, description: `Invalid value at '${field}'` };
      const body = fcmErrorBody(fault.error, { status, violation, quota: fault.quota });
      return { answer: { status, headers: json, body }, reason: fault.error };
    }
    case 'google_error': {
      const { status, message } = fault;
      const body = googleErrorBody(status, { message });
      return { answer: { status, headers: json, body }, reason: fault.kind };
    }
    case 'oauth_error': {
      const { status = 400, error = 'invalid_grant' } = fault;
      const description = 'Scripted by the sandbox';
      return { answer: oauthErrorAnswer(status, { error, description }), reason: error };
    }
    case 'bad_json':
      return {
        answer: { status: fault.status ?? 200, headers: json, body: '{"name": "projects/' },
        reason: fault.kind,
      };
    case 'html': {
      const headers = { 'content-type': 'text/html; charset=UTF-8' };
      return {
        answer: { status: fault.status ?? 502, headers, body: HTML_PAGE },
        reason: fault.kind,
      };
    }
    case 'empty':
      return { answer: { status: fault.status ?? 503 }, reason: fault.kind };
  }
}

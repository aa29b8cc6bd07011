// Callers and phones over real HTTP, with exactly the bytes that a test chooses: `fetch` would normalise paths, hosts
// and headers. Every call has a connection of its own, which its caller may close at any time.

import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import { expect } from 'vitest';
import { z } from 'zod';
import type { ReceivedPush } from '../../sandbox/records.ts';
import { notifyPath, type Setup } from './service.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
}

export interface Call {
  /** Default POST. */
  readonly method?: string;
  readonly path: string;
  /** `accept: application/json` is added, so that a test can read what happened. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

export interface Caller {
  readonly answer: Promise<Answer>;
  /** Resolves when the caller's connection is gone; `answer` rejects. */
  hangUp(): Promise<void>;
}

/** Starts a call; `answer` resolves with the whole answer. */
export function startCall(url: string, { method = 'POST', path, headers, body }: Call): Caller {
  const { hostname, port } = new URL(url);
  const { promise: answer, resolve, reject } = Promise.withResolvers<Answer>();
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>();
  // A caller that hangs up does not wait for an answer.
  answer.catch(() => {});
  const asked = { accept: 'application/json', ...headers };
  const options = { hostname, port, method, path, agent: false, headers: asked };
  const outgoing = request(options, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const status = response.statusCode ?? 0;
      resolve({ status, headers: response.headers, bytes, text: bytes.toString('utf8') });
    });
  });
  outgoing.on('error', reject);
  outgoing.on('close', onClose);
  outgoing.end(body);
  return {
    answer,
    hangUp: () => {
      outgoing.destroy();
      return closed;
    },
  };
}

/** Makes one call and returns its answer. */
export function send(url: string, call: Call): Promise<Answer> {
  return startCall(url, call).answer;
}

const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  instance: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
  reason: z.string().optional(),
  excess_bytes: z.number().optional(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  more_errors: z.number().optional(),
});

export type Problem = z.output<typeof problem>;

/** The problem in an answer; throws if it is anything else. */
export function problemOf(answer: Answer): Problem {
  const { 'content-type': type } = answer.headers;
  if (type !== 'application/problem+json') throw new Error(`${answer.status} with ${String(type)}`);
  const parsed = problem.parse(JSON.parse(answer.text));
  if (parsed.status !== answer.status || parsed.type !== `urn:nds:error:${parsed.code}`) {
    throw new Error(`${answer.status} carries the problem of another status: ${answer.text}`);
  }
  requireRetryAfter(answer.status, answer.headers['retry-after']);
  return parsed;
}

/** Checks that a refusal which may end by itself says when to call again. */
export function requireRetryAfter(status: number, retryAfter: string | null | undefined): void {
  const isForNow = status === 429 || status === 503;
  if (isForNow && !/^[1-9]\d*$/.test(retryAfter ?? '')) {
    throw new Error(`${status} without seconds in Retry-After`);
  }
}

/** Status and code of a refusal in one line, such as `404 not_found`. */
export function refusalOf(answer: Answer): string {
  return `${answer.status} ${problemOf(answer).code}`;
}

/** Expects no row, no push, and none of these texts in the log. */
export async function expectNoTrace(running: Setup, secrets: readonly string[]): Promise<void> {
  expect(running.sandbox.received()).toEqual([]);
  await running.service.settled();
  expect(await running.service.store.findDeliveries({ limit: 10 })).toEqual([]);
  const said = JSON.stringify([running.log.events, running.log.lines]);
  expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
}

/** Boltz's call for an invoice. */
export function invoiceRequestBody(invoiceRequest: string): string {
  return JSON.stringify({ event: 'invoice.request', data: { offer: 'lno1qq', invoiceRequest } });
}

/** Asks a phone for an invoice, as Boltz does. */
export function askPhone(
  running: Setup,
  { token, request: invoiceRequest, query = {} }: AskedPhone,
): Caller {
  return startCall(running.service.url, {
    path: notifyPath(token, query),
    headers: { 'content-type': 'application/json' },
    body: invoiceRequestBody(invoiceRequest),
  });
}

export interface AskedPhone {
  readonly token: string;
  readonly request: string;
  readonly query?: Record<string, string>;
}

const payload = z.looseObject({ reply_url: z.string() });

/** The address for the phone's reply, as the push named it. */
export function replyUrlOf(push: ReceivedPush | undefined): URL {
  return new URL(payload.parse(JSON.parse(push?.data.notification_payload ?? '')).reply_url);
}

/** The phone posts its answer to the path of its reply address. */
export function reply(
  running: Setup,
  push: ReceivedPush | undefined,
  body: string | Uint8Array,
): Promise<Answer> {
  return send(running.service.url, { path: replyUrlOf(push).pathname, body });
}

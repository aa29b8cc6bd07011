// Posts one call as its caller would, without following redirects, and returns the answer.

import { type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Clock } from '../../core/ports/clock.ts';
import { type TriggerCall, TriggerError } from './caller.ts';

/** Longer than any caller waits for an answer: Boltz waits 60 s for an invoice. */
const TIMEOUT_MS = 65_000;
const MAX_ANSWER_BYTES = 65_536;

export interface Posted {
  readonly status: number;
  readonly afterMs: number;
  /** From the headers in which nds describes the delivery. */
  readonly deliveryId: string | undefined;
  readonly deliveryStatus: string | undefined;
  readonly body: string;
}

/** Rejects with a `TriggerError` that does not repeat the URL. */
export function post(url: URL, { headers, body }: TriggerCall, clock: Clock): Promise<Posted> {
  const startedMs = clock.nowMs();
  const { promise, resolve, reject } = Promise.withResolvers<Posted>();
  const outgoing = open(url, {
    ...headers,
    'content-length': String(Buffer.byteLength(body)),
  });
  const fail = (error: Error) => reject(new TriggerError(wordsFor(url, error)));
  outgoing.on('error', fail);
  outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 65 s')));
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      if (size < MAX_ANSWER_BYTES) chunks.push(chunk);
      size += chunk.length;
    });
    response.on('error', fail);
    response.on('end', () => {
      const header = (name: string) => {
        const value = response.headers[name];
        return typeof value === 'string' ? value : undefined;
      };
      resolve({
        status: response.statusCode ?? 0,
        afterMs: Math.round(clock.nowMs() - startedMs),
        deliveryId: header('delivery-id'),
        deliveryStatus: header('delivery-status'),
        body: Buffer.concat(chunks).toString(),
      });
    });
  });
  outgoing.end(body);
  return promise;
}

function open(url: URL, headers: Readonly<Record<string, string>>): ClientRequest {
  const options = { method: 'POST', agent: false, timeout: TIMEOUT_MS, headers };
  return url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
}

/** If a connection to a name with several addresses is refused, the error's message is empty, but its code says why. */
function wordsFor({ origin }: URL, error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  const words = error.message === '' ? code : error.message;
  return `${origin} does not answer (${words}): check the URL, and whether a service runs there`;
}

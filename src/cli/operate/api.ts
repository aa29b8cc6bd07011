// A client of the service's own routes, over a Unix socket that asks for no key.

import { request } from 'node:http';
import { parseLoosely } from './loose-json.ts';
import { describeRefusal } from './refusals.ts';

/** Longer than any route takes; only a service that hangs reaches this limit. */
const TIMEOUT_MS = 120_000;
/** A page of any list is far smaller. */
const MAX_ANSWER_BYTES = 64 * 1_048_576;

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface ApiRequest {
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
}

export interface Api {
  /** What the service says of itself at /readyz, ready or not. */
  readiness(): Promise<unknown>;
  /** Returns the JSON of a 2xx. Throws an `ApiRefusedError` if the service refuses. */
  call(method: Method, path: string, given?: ApiRequest): Promise<unknown>;
  /** Returns the body of a 2xx as it is. */
  text(method: Method, path: string, given?: ApiRequest): Promise<string>;
}

/** No service can be reached. The message says what to do. */
export class NoServiceError extends Error {
  override readonly name = 'NoServiceError';
}

/** The message is for the operator. */
export class ApiRefusedError extends Error {
  override readonly name = 'ApiRefusedError';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export function createApi(socketPath: string, timeoutMs = TIMEOUT_MS): Api {
  const text = async (method: Method, path: string, given: ApiRequest = {}) => {
    const { status, body, retryAfter } = await exchange(socketPath, {
      method,
      path,
      timeoutMs,
      ...given,
    });
    if (status >= 200 && status < 300) return body;
    const { code, message } = describeRefusal(status, parseLoosely(body), retryAfter);
    throw new ApiRefusedError(status, code, message);
  };
  return {
    text,
    readiness: async () => {
      const asked = { method: 'GET', path: '/readyz', timeoutMs } as const;
      return parseLoosely((await exchange(socketPath, asked)).body);
    },
    call: async (method, path, given) => {
      const body = await text(method, path, given);
      return body === '' ? {} : parseLoosely(body);
    },
  };
}

interface Sent extends ApiRequest {
  readonly method: Method;
  readonly path: string;
  readonly timeoutMs: number;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Seconds. */
  readonly retryAfter: string | undefined;
}

function exchange(
  socketPath: string,
  { method, path, timeoutMs, query = {}, body }: Sent,
): Promise<Answer> {
  const bytes = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const outgoing = request({
    socketPath,
    method,
    path: `${path}${queryOf(query)}`,
    agent: false,
    timeout: timeoutMs,
    headers: {
      host: 'localhost',
      accept: 'application/json',
      ...(bytes === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
    },
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(brokenOff(error));
    outgoing.on('error', fail);
    outgoing.on('timeout', () => outgoing.destroy(new Error('the service does not answer')));
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error('the answer is too large'));
        chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const retryAfter = headers['retry-after'];
        resolve({ status, body: Buffer.concat(chunks).toString(), retryAfter });
      });
    });
    outgoing.end(bytes);
  });
}

function brokenOff(cause: Error): NoServiceError {
  const words = 'code' in cause ? String(cause.code) : cause.message;
  return new NoServiceError(`the service broke off (${words}): is it still running?`, { cause });
}

function queryOf(query: NonNullable<ApiRequest['query']>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

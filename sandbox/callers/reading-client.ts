// The callers that read the answers and keep their connections: Rust's reqwest and Svix' sender alike.

import { Agent, request } from 'node:http';
import { answerOf, type CallerAnswer } from './answer.ts';

export interface ReadingClient {
  /** Rejects if the whole answer did not arrive in time. */
  post(call: {
    readonly url: string;
    readonly body: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
  }): Promise<CallerAnswer>;
  close(): void;
}

export function createReadingClient(): ReadingClient {
  const agent = new Agent({ keepAlive: true });
  return {
    post({ url, body, headers = {}, timeoutMs }) {
      const { promise, resolve, reject } = Promise.withResolvers<CallerAnswer>();
      const outgoing = request(url, {
        method: 'POST',
        agent,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          accept: '*/*',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...headers,
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const header = (name: string): string | undefined => {
            const value = response.headers[name];
            return Array.isArray(value) ? value[0] : value;
          };
          const text = Buffer.concat(chunks).toString();
          resolve(answerOf(response.statusCode ?? 0, { headers: header, body: text }));
        });
      });
      outgoing.end(body);
      return promise;
    },
    close: () => agent.destroy(),
  };
}

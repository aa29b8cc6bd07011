// A caller that keeps its connections, posts one call after the other, reads every answer completely, and gets no
// answer if the service dies meanwhile. The callers of `sandbox/callers` read less.

import { Agent, request } from 'node:http';
import { z } from 'zod';

const answerSchema = z.looseObject({
  id: z.string().optional(),
  status: z.union([z.string(), z.number()]).optional(),
  code: z.string().optional(),
  logged: z.boolean().optional(),
});

/** A whole answer as the caller got it. */
export interface CallerAnswer {
  readonly status: number;
  readonly body: z.output<typeof answerSchema>;
}

export interface Post {
  readonly path: string;
  readonly body: string;
}

export interface Caller {
  /** Undefined if the connection was refused, or broke before the whole answer arrived. */
  post(url: string, call: Post): Promise<CallerAnswer | undefined>;
  close(): void;
}

export function createCaller(): Caller {
  const agent = new Agent({ keepAlive: true });
  return {
    post: (url, call) => post(url, call, agent),
    close: () => agent.destroy(),
  };
}

function post(url: string, { path, body }: Post, agent: Agent): Promise<CallerAnswer | undefined> {
  const { hostname, port } = new URL(url);
  const headers = {
    // Only with this does the body of the answer have the delivery's status.
    accept: 'application/json',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method: 'POST', path, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', () => resolve(undefined));
      answer.on('end', () => {
        try {
          // The answer to a phone's reply has no body.
          const text = Buffer.concat(chunks).toString('utf8');
          const told: unknown = text === '' ? {} : JSON.parse(text);
          resolve({ status: answer.statusCode ?? 0, body: answerSchema.parse(told) });
        } catch (error) {
          reject(error);
        }
      });
    });
    outgoing.on('error', () => resolve(undefined));
    outgoing.end(body);
  });
}

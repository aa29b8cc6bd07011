// A vendor's backend on loopback: keeps the received events, and answers as a test wants. Every event must agree with
// the description of the API.

import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import { expect, onTestFinished } from 'vitest';
import { z } from 'zod';
import { faultOfEvent } from './described-events.ts';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
  readonly event: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: Record<string, unknown>;
  };
}

const eventSchema = z.object({
  type: z.string(),
  timestamp: z.string(),
  data: z.record(z.string(), z.unknown()),
});

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** Answers 200 by default. */
  answer: (response: ServerResponse, received: Received) => void;
  /** Resolves when this many calls came in total. */
  wait(count: number): Promise<readonly Received[]>;
  readonly server: Server;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks).toString();
      const one = { headers: request.headers, raw, event: eventSchema.parse(JSON.parse(raw)) };
      received.push(one);
      receiver.answer(response, one);
      for (const { count, resolve } of waiting) if (received.length >= count) resolve();
      waiting = waiting.filter(({ count }) => received.length < count);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    expect(received.flatMap(({ raw }) => faultOfEvent(raw) ?? [])).toEqual([]);
  });
  const receiver: Receiver = {
    url: `http://127.0.0.1:${portOf(server)}/hooks`,
    received,
    server,
    answer: (response) => response.end(),
    wait: async (count) => {
      if (received.length < count) {
        await new Promise<void>((resolve) => waiting.push({ count, resolve }));
      }
      return received;
    },
  };
  return receiver;
}

/** The headers in the form that libraries for signatures take. */
export function headersOf(call: Received | undefined): Record<string, string> {
  const given = Object.entries(call?.headers ?? {});
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

export function portOf(server: Pick<Server, 'address'>): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

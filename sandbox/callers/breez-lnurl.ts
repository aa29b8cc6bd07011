// The LNURL server of Breez (breez/breez-lnurl): only 200 counts as success, no body is ever read or closed, and after
// a 200 it waits 30 s for the phone to post to the call's own `reply_url`, while a payer waits for it.

import { createServer } from 'node:http';
import { answerOf, type CallerAnswer } from './answer.ts';
import { createGoClient } from './go-client.ts';

const HOST = '127.0.0.1';
const REPLY_TIMEOUT_MS = 30_000;
const REPLY_PATH = '/response/';

/** What the server can answer its payer. */
export interface PayerAnswer {
  readonly notified: CallerAnswer;
  /** Where the phone had to reply. */
  readonly replyUrl: string;
  /** The phone's own bytes; undefined: "unavailable". */
  readonly reply: string | undefined;
}

export interface BreezLnurl {
  /** A payer asks for the parameters of a payment (LUD-06). Rejects if the service did not answer. */
  payInfo(url: string): Promise<PayerAnswer>;
  readonly held: number;
  close(): Promise<void>;
}

export async function openBreezLnurl({
  replyTimeoutMs = REPLY_TIMEOUT_MS,
}: {
  readonly replyTimeoutMs?: number;
} = {}): Promise<BreezLnurl> {
  const client = createGoClient();
  const replies = await openReplies(replyTimeoutMs);
  return {
    async payInfo(url) {
      const reply = replies.expect();
      const data = { callback_url: `${reply.url}/callback`, reply_url: reply.url };
      try {
        const { status, headers } = await client.post({
          url,
          body: JSON.stringify({ template: 'lnurlpay_info', data }),
          readBytes: () => 0,
        });
        if (status !== 200) reply.cancel();
        const notified = answerOf(status, { headers: (name) => headers.get(name) });
        return { notified, replyUrl: reply.url, reply: await reply.arrived };
      } finally {
        reply.cancel();
      }
    },
    get held() {
      return client.held;
    },
    async close() {
      client.close();
      await replies.close();
    },
  };
}

interface ExpectedReply {
  /** Where the phone posts it. */
  readonly url: string;
  /** The body that the phone posted; undefined after the timeout or `cancel`. */
  readonly arrived: Promise<string | undefined>;
  cancel(): void;
}

/** The server that phones post to. */
async function openReplies(timeoutMs: number) {
  const waiting = new Map<string, (reply: string | undefined) => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const settle = waiting.get(request.url ?? '');
      settle?.(Buffer.concat(chunks).toString());
      response.writeHead(settle === undefined ? 404 : 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  let expected = 0;

  return {
    expect(): ExpectedReply {
      expected += 1;
      const path = `${REPLY_PATH}${expected}`;
      const { promise, resolve } = Promise.withResolvers<string | undefined>();
      const settle = (reply: string | undefined): void => {
        clearTimeout(timer);
        waiting.delete(path);
        resolve(reply);
      };
      const timer = setTimeout(settle, timeoutMs, undefined);
      waiting.set(path, settle);
      const url = `http://${HOST}:${address.port}${path}`;
      return { url, arrived: promise, cancel: () => settle(undefined) };
    },
    async close(): Promise<void> {
      for (const settle of [...waiting.values()]) settle(undefined);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

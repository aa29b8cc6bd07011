// The LNURL server of Breez (breez/breez-lnurl): exactly 200 counts, no body is ever read or closed, and after a 200
// it waits 30 s for the phone to post to its own `reply_url`, while a payer waits for it.

import { createServer } from 'node:http';
import { answerOf, type CallerAnswer } from './answer.ts';
import { createGoClient } from './go-client.ts';

const HOST = '127.0.0.1';
const REPLY_TIMEOUT_MS = 30_000;
const REPLY_PATH = '/response/';

/** What the server has for its payer. */
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
  const waiting = new Map<string, (reply: string) => void>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const id = (request.url ?? '').slice(REPLY_PATH.length);
      const onReply = waiting.get(id);
      waiting.delete(id);
      onReply?.(Buffer.concat(chunks).toString());
      response.writeHead(onReply === undefined ? 404 : 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a port');
  const ownUrl = `http://${HOST}:${address.port}`;
  let asked = 0;

  function replyTo(id: string): { readonly arrived: Promise<string | undefined>; cancel(): void } {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const timer = setTimeout(resolve, replyTimeoutMs, undefined);
    const cancel = (): void => {
      clearTimeout(timer);
      waiting.delete(id);
      resolve(undefined);
    };
    waiting.set(id, (reply) => {
      clearTimeout(timer);
      resolve(reply);
    });
    return { arrived: promise.finally(cancel), cancel };
  }

  return {
    async payInfo(url) {
      asked += 1;
      const id = String(asked);
      const reply = replyTo(id);
      const data = {
        callback_url: `${ownUrl}/lnurlpay/${id}`,
        reply_url: `${ownUrl}${REPLY_PATH}${id}`,
      };
      try {
        const { status, headers } = await client.post({
          url,
          body: JSON.stringify({ template: 'lnurlpay_info', data }),
          readBytes: () => 0,
        });
        if (status !== 200) reply.cancel();
        const notified = answerOf(status, { headers: (name) => headers.get(name) });
        return { notified, replyUrl: data.reply_url, reply: await reply.arrived };
      } finally {
        reply.cancel();
      }
    },
    get held() {
      return client.held;
    },
    async close() {
      client.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

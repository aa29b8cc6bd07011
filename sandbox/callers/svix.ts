// A service that sends by Svix, as Blink and BlindPay do: the headers of Standard Webhooks under the prefix `svix-`,
// any 2xx is a success, and a repeat has the same id and a new time.

import { createHmac } from 'node:crypto';
import type { CallerAnswer } from './answer.ts';
import { createReadingClient } from './reading-client.ts';

const TIMEOUT_MS = 15_000;

export interface SvixOptions {
  /** `whsec_` and the key in base64. */
  readonly secret: string;
  /** Default `svix`; senders of plain Standard Webhooks write `webhook`. */
  readonly prefix?: 'svix' | 'webhook';
}

export interface Svix {
  send(url: string, event: { readonly id: string; readonly body: string }): Promise<CallerAnswer>;
  close(): void;
}

export function createSvix({ secret, prefix = 'svix' }: SvixOptions): Svix {
  const client = createReadingClient();
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return {
    send(url, { id, body }) {
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const signed = createHmac('sha256', key)
        .update(`${id}.${timestamp}.${body}`)
        .digest('base64');
      return client.post({
        url,
        body,
        headers: {
          'user-agent': 'Svix-Webhooks/1.40 (sender-9YMgn; +https://www.svix.com/http-sender/)',
          [`${prefix}-id`]: id,
          [`${prefix}-timestamp`]: timestamp,
          [`${prefix}-signature`]: `v1,${signed}`,
        },
        timeoutMs: TIMEOUT_MS,
      });
    },
    close: client.close,
  };
}

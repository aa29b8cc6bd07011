// Boltz' back end (BoltzExchange/boltz-backend). Swap updates: a timeout of 15 s, any 2xx counts, a repeat has the
// swap's status at that time. Invoice requests: a timeout of 60 s, at most three calls on a tick of 10 s, and the body
// of the answer is the device's.

import type { CallerAnswer } from './answer.ts';
import { createReadingClient } from './reading-client.ts';

const UPDATE_TIMEOUT_MS = 15_000;
const INVOICE_TIMEOUT_MS = 60_000;
const INVOICE_CALLS = 3;
const INVOICE_TICK_MS = 10_000;

export interface Boltz {
  swapUpdate(
    url: string,
    swap: { readonly id: string; readonly status: string },
  ): Promise<CallerAnswer>;
  /** The device's bytes, or undefined once every call has failed. */
  invoiceRequest(
    url: string,
    request: { readonly offer: string; readonly invoiceRequest: string },
  ): Promise<string | undefined>;
  close(): void;
}

export function createBoltz({
  tickMs = INVOICE_TICK_MS,
}: {
  readonly tickMs?: number;
} = {}): Boltz {
  const client = createReadingClient();
  return {
    swapUpdate: (url, data) =>
      client.post({
        url,
        body: JSON.stringify({ event: 'swap.update', data }),
        timeoutMs: UPDATE_TIMEOUT_MS,
      }),
    async invoiceRequest(url, data) {
      const body = JSON.stringify({ event: 'invoice.request', data });
      for (let call = 1; ; call += 1) {
        const answer = await client
          .post({ url, body, timeoutMs: INVOICE_TIMEOUT_MS })
          .catch(() => undefined);
        if (answer !== undefined && answer.status >= 200 && answer.status < 300) return answer.body;
        if (call === INVOICE_CALLS) return undefined;
        await new Promise((resolve) => setTimeout(resolve, tickMs));
      }
    },
    close: client.close,
  };
}

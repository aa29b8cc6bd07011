// lspd when an HTLC arrives for a client that is offline (breez/lspd, notifications/notification_service.go): any 2xx
// is a success, and its body is neither read nor closed; of other answers lspd reads 1,000 bytes for its log.

import { answerOf, type CallerAnswer } from './answer.ts';
import { createGoClient } from './go-client.ts';

const MAX_READ_BYTES = 1_000;

export interface Lspd {
  /** A payment for one registered URL. Rejects if there was no answer. */
  paymentReceived(url: string, paymentHash: string): Promise<CallerAnswer>;
  /** Connections lost to bodies that it did not read. */
  readonly held: number;
  close(): void;
}

export function createLspd(): Lspd {
  const client = createGoClient();
  return {
    async paymentReceived(url, paymentHash) {
      const body = { template: 'payment_received', data: { payment_hash: paymentHash } };
      const { status, headers, ...read } = await client.post({
        url,
        // Go's json.Encoder ends every value with a newline.
        body: `${JSON.stringify(body)}\n`,
        readBytes: (code) => (code >= 200 && code < 300 ? 0 : MAX_READ_BYTES),
      });
      return answerOf(status, { headers: (name) => headers.get(name), body: read.body });
    },
    get held() {
      return client.held;
    },
    close: client.close,
  };
}

// Nostr events (NIP-01), as far as a push needs them: the event's id, and whether a body is a wallet request
// of Nostr Wallet Connect by itself, as Alby's http-nostr posts it.

import { z } from 'zod';

/** NIP-47: a request to the wallet. */
export const NWC_REQUEST_KIND = 23_194;

const HEX_32 = /^[0-9a-fA-F]{64}$/;
const identified = z.object({ id: z.string().min(1) });
const kind = z.object({ kind: z.number(), pubkey: z.string(), tags: z.array(z.unknown()) });
export const nwcRequest = kind.extend({
  id: z.string().regex(HEX_32),
  pubkey: z.string().regex(HEX_32),
  kind: z.literal(NWC_REQUEST_KIND),
  content: z.string(),
  sig: z.string(),
});

/** Whether the body is an event at all, of whatever kind, and no envelope around one. */
export function isNostrEvent(body: unknown): boolean {
  return kind.safeParse(body).success;
}

/** Whether the body is a wallet request. Its signature is left to the wallet, which has to check it anyway. */
export function isNwcRequest(body: unknown): boolean {
  return nwcRequest.safeParse(body).success;
}

/** The id of an event in JSON text: other relays may bring the same event with its keys in another order. */
export function nostrEventId(event: string): string | undefined {
  try {
    return identified.safeParse(JSON.parse(event)).data?.id;
  } catch {
    return undefined;
  }
}

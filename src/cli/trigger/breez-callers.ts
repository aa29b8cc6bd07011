// The callers of the Breez family, which sign nothing: lspd, the chain service, breez-lnurl, http-nostr, Boltz.

import { randomUUID } from 'node:crypto';
import { hash, JSON_TYPE, type TriggerCaller } from './caller.ts';

const GO = { 'user-agent': 'Go-http-client/1.1', 'accept-encoding': 'gzip' };
const REPLY = 'https://lnurl.example.com/response/';

/** The bodies of the Breez family, by type. */
const BREEZ: Readonly<Record<string, (id: string) => { data: object; subject?: string }>> = {
  payment_received: (id) => ({ data: { payment_hash: id }, subject: id }),
  tx_confirmed: (id) => ({ data: { tx_id: id }, subject: id }),
  address_txs_confirmed: (id) => ({ data: { address: `bcrt1q${id.slice(0, 38)}` } }),
  lnurlpay_info: (id) => ({
    data: { callback_url: `${REPLY}${id}/callback`, reply_url: `${REPLY}${id}` },
  }),
  lnurlpay_invoice: (id) => ({ data: { amount: 21_000, reply_url: `${REPLY}${id}` } }),
  lnurlpay_verify: (id) => ({
    data: { payment_hash: id, reply_url: `${REPLY}${id}` },
    subject: id,
  }),
  nwc_event: (id) => ({ data: { event: JSON.stringify(nostrEvent(id)) } }),
};

export function breez(...types: readonly string[]): TriggerCaller {
  return {
    types,
    succeeds: types.includes('lnurlpay_info') ? 'exactly 200' : 'any 2xx',
    call: ({ type, id }) => {
      const { data, subject } = BREEZ[type]?.(id) ?? { data: {} };
      // Go's encoder ends every value with a newline.
      const body = `${JSON.stringify({ template: type, data })}\n`;
      return { headers: { ...GO, ...JSON_TYPE }, body, subject };
    },
  };
}

function nostrEvent(id: string): object {
  const key = hash(`key ${id}`);
  const seconds = Number.parseInt(id.slice(0, 6), 16) + 1_700_000_000;
  const content = `${Buffer.from(id, 'hex').toString('base64')}?iv=AAAA==`;
  const tags = [['p', hash(`wallet ${id}`)]];
  return { id, pubkey: key, created_at: seconds, kind: 23_194, tags, content, sig: key + key };
}

export const BOLTZ: TriggerCaller = {
  types: ['swap_updated', 'invoice_request'],
  succeeds: 'any 2xx',
  call: ({ type, id }) => {
    const swap = { event: 'swap.update', data: { id, status: 'transaction.mempool' } };
    const question = {
      event: 'invoice.request',
      data: { offer: 'lno1qqtrigger', invoiceRequest: id },
    };
    const isSwap = type === 'swap_updated';
    const body = JSON.stringify(isSwap ? swap : question);
    return { headers: JSON_TYPE, body, subject: isSwap ? id : undefined };
  },
};

export const HTTP_NOSTR: TriggerCaller = {
  types: ['nwc_event'],
  succeeds: 'any 2xx',
  call: ({ id }) => ({
    headers: { ...GO, ...JSON_TYPE },
    body: JSON.stringify(nostrEvent(id)),
  }),
};

/** Makes this event different from every other. */
export function randomEventId(): string {
  return hash(randomUUID());
}

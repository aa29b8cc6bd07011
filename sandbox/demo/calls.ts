// What the demo posts: one real payload of each type of the Breez family, byte for byte as the callers
// write them, and what the phone must get.

export interface DemoCall {
  /** Who sends this in production. */
  readonly caller: string;
  readonly body: string;
  readonly type: string;
  readonly title: string;
  /** The payload as the app reads it; `reply_url` of an invoice request is checked separately. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly wantsReply?: true;
}

const PAYMENT_HASH = '4bb06f8e4e3a7715d201d573d0aa423762e55dabd61a2c02278fa56cc6d294e0';
const TX_ID = 'f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16';
const ADDRESS = 'bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq';
const SWAP_ID = '6c1f0a9fd5f0f7f0c8f1f2c3c89b8fe51ab6a2d5cb8f5f4f1f3e2a1b0c9d8e7f';
const REPLY_URL = 'https://lnurl.example.com/response/14057893017465829147';
const EVENT = '{"kind":23194,"id":"a7f1","content":"…"}';
const OFFER = 'lno1zcss9mk8y3wkklfvevcrszlmu23kfrxh49px20665dqwmn4p72pksese';
const INVOICE_REQUEST = '0010a1a1a1a1a1a1a1a1a1a1a1a1a1a1';

export const DEMO_CALLS: readonly DemoCall[] = [
  {
    caller: 'lspd',
    body: `{"template":"payment_received","data":{"payment_hash":"${PAYMENT_HASH}"}}\n`,
    type: 'payment_received',
    title: 'Incoming payment',
    payload: { payment_hash: PAYMENT_HASH },
  },
  {
    caller: 'chain service',
    body: `{"template":"tx_confirmed","data":{"tx_id":"${TX_ID}"}}`,
    type: 'tx_confirmed',
    title: 'Transaction confirmed',
    payload: { tx_id: TX_ID },
  },
  {
    caller: 'chain service',
    body: `{"template":"address_txs_confirmed","data":{"address":"${ADDRESS}"}}`,
    type: 'address_txs_confirmed',
    title: 'Address transactions confirmed',
    payload: { address: ADDRESS },
  },
  {
    caller: 'breez-lnurl',
    body: `{"template":"lnurlpay_info","data":{"callback_url":"https://lnurl.example.com/lnurlpay/a/invoice","reply_url":"${REPLY_URL}1"}}`,
    type: 'lnurlpay_info',
    title: 'Receiving payment',
    payload: {
      callback_url: 'https://lnurl.example.com/lnurlpay/a/invoice',
      reply_url: `${REPLY_URL}1`,
    },
  },
  {
    caller: 'breez-lnurl',
    body: `{"template":"lnurlpay_invoice","data":{"amount":21000,"comment":"coffee","reply_url":"${REPLY_URL}2"}}`,
    type: 'lnurlpay_invoice',
    title: 'Invoice requested',
    payload: { amount: 21_000, comment: 'coffee', reply_url: `${REPLY_URL}2` },
  },
  {
    caller: 'breez-lnurl',
    body: `{"template":"lnurlpay_verify","data":{"payment_hash":"${PAYMENT_HASH}","reply_url":"${REPLY_URL}3"}}`,
    type: 'lnurlpay_verify',
    title: 'Verify payment',
    payload: { payment_hash: PAYMENT_HASH, reply_url: `${REPLY_URL}3` },
  },
  {
    caller: 'breez-lnurl',
    body: JSON.stringify({ template: 'nwc_event', data: { event: EVENT } }),
    type: 'nwc_event',
    title: 'NWC Event Received',
    payload: { event: EVENT },
  },
  {
    caller: 'Boltz',
    body: `{"event":"swap.update","data":{"id":"${SWAP_ID}","status":"transaction.mempool"}}`,
    type: 'swap_updated',
    title: 'Swap updated',
    payload: { id: SWAP_ID, status: 'transaction.mempool' },
  },
  {
    caller: 'Boltz',
    body: `{"event":"invoice.request","data":{"offer":"${OFFER}","invoiceRequest":"${INVOICE_REQUEST}"}}`,
    type: 'invoice_request',
    title: 'Invoice request',
    payload: { invoice_request: INVOICE_REQUEST, offer: OFFER },
    wantsReply: true,
  },
];

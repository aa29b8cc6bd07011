// What a test push of each type brings: the fields that the app's handler expects, as its callers send them, keys sorted.

export interface SampleParts {
  /** Makes one sample another one than the last. */
  readonly id: string;
  /** Where the phone would reply. */
  readonly replyUrl: string;
  readonly wallMs: number;
}

/** A type of a source's own gets `{"id":"test"}`. */
export function samplePayload(type: string, { id, replyUrl, wallMs }: SampleParts): object {
  const reply_url = replyUrl;
  const payment_hash = Buffer.from(id).toString('hex').padEnd(64, '0').slice(0, 64);
  const timestamp = new Date(wallMs).toISOString();
  const [family = ''] = type.split('_', 1);
  switch (type) {
    case 'payment_received':
      return { payment_hash };
    case 'tx_confirmed':
      return { tx_id: payment_hash };
    case 'address_txs_confirmed':
      return { address: 'bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq' };
    case 'lnurlpay_info':
      return { callback_url: reply_url, reply_url };
    case 'lnurlpay_invoice':
      return { amount: 1_000, reply_url };
    case 'lnurlpay_verify':
      return { payment_hash, reply_url };
    case 'invoice_request':
      return { invoice_request: 'lnr1test', offer: 'lno1test', reply_url };
    case 'swap_updated':
      return { id: 'test', status: 'transaction.mempool' };
    case 'nwc_event':
      return { event: JSON.stringify(nostrRequest(payment_hash, wallMs)) };
    case 'spark_payment_received':
      return { amount_sat: 1, payment_hash, timestamp: wallMs, user_pubkey: `02${payment_hash}` };
    case 'payment_succeeded':
    case 'payment_failed':
    case 'refund_created':
      return paymentEvent(type);
    default:
  }
  if (family === 'lsps5') {
    const params = type === 'lsps5_expiry_soon' ? { timeout: 900_000 } : {};
    const method = type.replace('_', '.');
    return { lsp_node_id: `02${payment_hash}`, method, params, timestamp };
  }
  if (family === 'spark') return sparkEvent(type, { payment_hash, timestamp });
  return { id: 'test' };
}

/** Signed by nobody: a wallet that checks it, as it has to, takes it for no request. */
function nostrRequest(hex: string, wallMs: number): object {
  const created_at = Math.floor(wallMs / 1_000);
  const author = { content: '', created_at, id: hex, kind: 23_194, pubkey: hex };
  return { ...author, sig: hex + hex, tags: [] };
}

function paymentEvent(type: string): object {
  const what = { amount: 1, currency: 'usd', event_id: 'test', object_id: 'test' };
  const status = type === 'payment_failed' ? 'failed' : 'succeeded';
  return { ...what, source: 'payment_api', status, type: type.replace('_', '.') };
}

function sparkEvent(
  type: string,
  { payment_hash, timestamp }: { readonly payment_hash: string; readonly timestamp: string },
): object {
  const common = {
    amount: { unit: 'SATOSHI', value: 1 },
    id: 'test',
    network: 'MAINNET',
    output_index: type === 'spark_static_deposit_finished' ? 0 : undefined,
  };
  const ofHash = type === 'spark_lightning_receive_finished' ? { payment_hash } : {};
  const status = { request_status: 'SUCCEEDED', status: 'TRANSFER_COMPLETED', timestamp };
  const isOnChain = /^spark_(?:coop|static)/.test(type);
  const ofChain = isOnChain ? { transaction_id: payment_hash } : {};
  return { ...common, ...ofHash, ...status, ...ofChain, type: type.toUpperCase() };
}

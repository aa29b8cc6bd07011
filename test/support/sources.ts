// The sources that have fixtures, by the kind of their door.

export const BREEZ_SOURCES: readonly string[] = [
  'payment_received',
  'tx_confirmed',
  'address_txs_confirmed',
  'lnurlpay_info',
  'lnurlpay_invoice',
  'lnurlpay_verify',
  'nwc_event',
  'swap_update',
  'swap_updated',
  'invoice_request',
  'response',
];

export const SIGNED_SOURCES: readonly string[] = [
  'lsps5',
  'spark_ssp',
  'spark_payment_received',
  'standard_webhooks',
  'resmic',
  'paymentflow',
  'payment_api',
  'epay',
];

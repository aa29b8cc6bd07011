// The callers that `nds trigger` can play, by name: those of docs/sources, and the generic ones of NDS_SOURCES.

import type { SignedSources } from '../../config/sources.ts';
import { ArgumentError } from '../standard-input.ts';
import { BOLTZ, breez, HTTP_NOSTR } from './breez-callers.ts';
import type { TriggerCaller } from './caller.ts';
import { genericCaller } from './generic-caller.ts';
import {
  EPAY,
  LSPS5,
  paymentEvents,
  RESMIC,
  SPARK_PAYMENT_RECEIVED,
  SPARK_SSP,
  standard,
} from './signed-callers.ts';

/** By the names that the command takes; `spark` is short for the Spark caller that most users mean. */
export const CALLERS: Readonly<Record<string, TriggerCaller>> = {
  lspd: breez('payment_received'),
  'breez-lnurl': breez('lnurlpay_info', 'lnurlpay_invoice', 'lnurlpay_verify', 'nwc_event'),
  chain: breez('tx_confirmed', 'address_txs_confirmed'),
  'http-nostr': HTTP_NOSTR,
  boltz: BOLTZ,
  lsps5: LSPS5,
  spark: SPARK_SSP,
  spark_ssp: SPARK_SSP,
  spark_payment_received: SPARK_PAYMENT_RECEIVED,
  standard: standard('webhook'),
  svix: standard('svix'),
  resmic: RESMIC,
  paymentflow: paymentEvents('paymentflow', 'PaymentFlow-Signature'),
  payment_api: paymentEvents('payment_api', 'Payment-Signature'),
  epay: EPAY,
};

/** Throws an `ArgumentError` that lists the names. */
export function findCaller(name: string, sources: () => SignedSources): TriggerCaller {
  const known = Object.hasOwn(CALLERS, name) ? CALLERS[name] : undefined;
  if (known !== undefined) return known;
  const { generic } = sources();
  const configured = generic.find((one) => one.name === name);
  if (configured !== undefined) return genericCaller(configured);
  const names = [...Object.keys(CALLERS), ...generic.map((one) => one.name)];
  throw new ArgumentError(`no caller has this name. There are: ${names.join(', ')}`);
}

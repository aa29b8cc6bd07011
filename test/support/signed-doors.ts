// A service with the doors of callers that sign, and a valid call for each of them.

import { type Answer, type Call, send } from './callers.ts';
import { registerPhone } from './device-calls.ts';
import { createWallet } from './lightning-wallet.ts';
import { ManualClock } from './manual-clock.ts';
import { pathOf, REGISTRY_ENVIRONMENT } from './registry.ts';
import { type Setup, setup } from './service.ts';
import {
  lsps5Call,
  paymentApiCall,
  paymentflowCall,
  resmicCall,
  type SignedCall,
  sparkSspCall,
  standardCall,
} from './signed-calls.ts';

export const NOW_MS = 1_754_049_600_000;
export const MINUTE = 60_000;
export const SECRET = 'secret-of-the-device';
export const WHSEC = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const lsp = createWallet(1);
export const otherLsp = createWallet(2);
export const SECRETS = {
  spark_ssp: [SECRET],
  resmic: [SECRET],
  paymentflow: [SECRET],
  payment_api: [SECRET],
  standard: [WHSEC],
};

export async function start(sources: object = {}) {
  const clock = new ManualClock(NOW_MS);
  const environment = { ...REGISTRY_ENVIRONMENT, NDS_SOURCES: JSON.stringify(sources) };
  const running = await setup({ clock, environment });
  await running.service.reach;
  return Object.assign(running, { clock });
}

export function post({ service }: Setup, call: Call): Promise<Answer> {
  return send(service.url, call);
}

export async function rowsAndPushes({ service, sandbox }: Setup): Promise<readonly number[]> {
  await service.settled();
  const rows = await service.store.findDeliveries({ limit: 100 });
  return [rows.length, sandbox.received().length];
}

/** One valid call for every door except Epay's, whose caller signs nothing. */
export async function goodCalls(running: Setup): Promise<readonly SignedCall[]> {
  const device = await registerPhone(running, { secrets: SECRETS, lsp_node_ids: [lsp.publicKey] });
  const at = (door: string) => ({ path: pathOf(device, door), secret: SECRET });
  return [
    sparkSspCall(at('spark_ssp')),
    resmicCall(at('resmic')),
    paymentflowCall(at('paymentflow')),
    paymentApiCall(at('payment_api')),
    standardCall({ ...at('standard'), secret: WHSEC }, { nowMs: NOW_MS }),
    lsps5Call({ ...at('lsps5'), secretKey: lsp.secretKey }, { atMs: NOW_MS }),
  ];
}

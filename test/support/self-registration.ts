// A service at which wallets register themselves, and one such wallet.

import { type Answer, type Call, send } from './callers.ts';
import { createWallet } from './lightning-wallet.ts';
import { ManualClock } from './manual-clock.ts';
import { REGISTRY_ENVIRONMENT } from './registry.ts';
import { ANDROID_TOKEN, type Setup, setup } from './service.ts';

export const NOW = 1_754_049_600;
export const MINUTE = 60;
export const DOMAIN = {
  path: '/api/v1/webhooks/spark_payment_received/pay.example.com',
  secret: 'domain',
};
export const wallet = createWallet(1);
export const PHONE = { platform: 'android', token: ANDROID_TOKEN };
/** A wallet that names its key is refused if another key made the signature. */
export const NAMED = { ...PHONE, user: wallet.publicKey };

export async function start(environment: Record<string, string | undefined> = {}) {
  const clock = new ManualClock(NOW * 1_000);
  const running = await setup({
    clock,
    environment: { ...REGISTRY_ENVIRONMENT, NDS_SELF_REGISTRATION: 'on', ...environment },
  });
  await running.service.reach;
  return Object.assign(running, { clock });
}

export function post({ service }: Setup, call: Call): Promise<Answer> {
  return send(service.url, call);
}

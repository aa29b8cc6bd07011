// Apps of NDS_APPS whose credentials are those of the stand-ins.

import type { Sandbox } from '../../sandbox/sandbox.ts';
import { REGISTRY_ENVIRONMENT } from './registry.ts';
import { type Setup, type SetupOptions, setup } from './service.ts';

export const TOPIC = 'com.example.wallet';

/** The `apns` field of an app that pushes to this stand-in. */
export function apnsOf({ apns }: Sandbox, others: object = {}): object {
  const { key, keyId, teamId, url } = apns;
  return {
    key,
    key_id: keyId,
    team_id: teamId,
    topic: TOPIC,
    environment: 'production',
    endpoint: url,
    ...others,
  };
}

/** A service with these apps in NDS_APPS, besides the plain variables. */
export async function setupWithApps(
  appsFor: (sandbox: Sandbox) => Readonly<Record<string, object>>,
  options: SetupOptions = {},
): Promise<Setup> {
  const running = await setup({
    ...options,
    environment: { ...REGISTRY_ENVIRONMENT, ...options.environment },
  });
  await running.restart({ NDS_APPS: JSON.stringify(appsFor(running.sandbox)) });
  return running;
}

// The variables with which a service reaches the stand-ins: only endpoint and authority differ from production.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Sandbox } from './sandbox.ts';

/** Writes the stand-ins' authority into the folder in which the service's database will be. */
export function standInEnvironment(sandbox: Sandbox, folder: string): Record<string, string> {
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, sandbox.ca);
  return {
    NDS_DATABASE: join(folder, 'nds.sqlite'),
    NDS_PROVIDER_CA_FILE: ca,
    APNS_KEY: sandbox.apns.key,
    APNS_KEY_ID: sandbox.apns.keyId,
    APNS_TEAM_ID: sandbox.apns.teamId,
    APNS_TOPIC: sandbox.apns.topic,
    APNS_ENVIRONMENT: 'sandbox',
    APNS_ENDPOINT: sandbox.apns.url,
    GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(sandbox.fcm.serviceAccount),
    FCM_ENDPOINT: sandbox.fcm.url,
  };
}

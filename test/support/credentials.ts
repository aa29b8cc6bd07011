// Keys in the formats of Apple and Google, made once for each test process.

import { generateKeyPairSync } from 'node:crypto';

/** The content of a .p8 file. */
export const APNS_KEY = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;

const googleKey = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
}).privateKey;

/** The JSON of a service account. */
export const SERVICE_ACCOUNT = {
  type: 'service_account',
  project_id: 'wallet-test',
  private_key_id: '0123456789abcdef',
  private_key: googleKey,
  client_email: 'nds@wallet-test.iam.gserviceaccount.com',
  token_uri: 'https://oauth2.example.com/token',
};

/** The plain variables of an app with both providers. */
export const BOTH_PROVIDERS = {
  APNS_KEY,
  APNS_KEY_ID: 'ABC123DEFG',
  APNS_TEAM_ID: 'DEF123GHIJ',
  APNS_TOPIC: 'com.example.wallet',
  APNS_ENVIRONMENT: 'production',
  GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(SERVICE_ACCOUNT),
} as const;

// What a client of the sandbox must be configured with, in the formats of Apple and Google.
import type { Identity } from './identity.ts';

/** The file that Google hands out for a service account; `token_uri` is this sandbox's. */
export interface ServiceAccount {
  readonly type: 'service_account';
  readonly project_id: string;
  readonly private_key_id: string;
  readonly private_key: string;
  readonly client_email: string;
  readonly client_id: string;
  readonly token_uri: string;
}

/** What a client must be configured with. */
export interface Credentials {
  /** PEM of the authority that signed both servers. */
  readonly ca: string;
  readonly apns: {
    /** `https://127.0.0.1:<port>`; the certificate is valid for `localhost` too. */
    readonly url: string;
    /** The signing key as Apple hands it out, PEM. */
    readonly key: string;
    readonly keyId: string;
    readonly teamId: string;
    readonly topic: string;
  };
  readonly fcm: {
    readonly url: string;
    readonly projectId: string;
    readonly serviceAccount: ServiceAccount;
  };
}

interface Addresses {
  readonly apnsUrl: string;
  readonly fcmUrl: string;
  readonly tokenUrl: string;
  readonly topic: string;
}

export function credentialsOf(
  identity: Identity,
  { apnsUrl, fcmUrl, tokenUrl, topic }: Addresses,
): Credentials {
  return {
    ca: identity.ca,
    apns: {
      url: apnsUrl,
      key: identity.apnsKey,
      keyId: identity.apnsKeyId,
      teamId: identity.teamId,
      topic,
    },
    fcm: {
      url: fcmUrl,
      projectId: identity.projectId,
      serviceAccount: {
        type: 'service_account',
        project_id: identity.projectId,
        private_key_id: identity.privateKeyId,
        private_key: identity.serviceAccountKey,
        client_email: identity.clientEmail,
        client_id: identity.clientId,
        token_uri: tokenUrl,
      },
    },
  };
}

// The throwaway keys of one sandbox: a certificate authority with a leaf for
// loopback and for the providers' own names, an APNs signing key and a service-account key. Making them costs
// about 100 ms (the RSA key), so they can be made once and reused. Every field
// is a string, so an identity survives JSON.
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

/** All secrets of one sandbox. Plain JSON; nothing in it is trusted outside loopback. */
export interface Identity {
  /** PEM certificate of the authority that a client has to trust. */
  readonly ca: string;
  /** PEM certificate of the servers, valid for every name in `SERVER_NAMES`. */
  readonly certificate: string;
  readonly certificateKey: string;
  /** APNs signing key as Apple hands it out: a P-256 key, PKCS #8, PEM (`AuthKey_<kid>.p8`). */
  readonly apnsKey: string;
  /** Key id and team id, ten characters each. */
  readonly apnsKeyId: string;
  readonly teamId: string;
  readonly projectId: string;
  readonly clientEmail: string;
  readonly clientId: string;
  readonly privateKeyId: string;
  /** RSA 2048 key of the service account, PKCS #8, PEM. */
  readonly serviceAccountKey: string;
}

/**
 * A sender whose addresses cannot be configured reaches the stand-ins by the providers' names, with
 * a hosts file of its own (docs/performance.md).
 */
const SERVER_NAMES = {
  dns: [
    'localhost',
    'fcm.googleapis.com',
    'oauth2.googleapis.com',
    'api.push.apple.com',
    'api.sandbox.push.apple.com',
  ],
  ip: ['127.0.0.1', '127.0.0.2', '127.0.0.3'],
} as const;

const makeKeyPair = promisify(generateKeyPair);
const DAY_MS = 86_400_000;
const VALID_DAYS = 3650;

let shared: Promise<Identity> | undefined;

/** One identity per process, made at the first call and reused by every later one. */
export function sharedIdentity(): Promise<Identity> {
  shared ??= createIdentity();
  return shared;
}

/** Makes new keys and certificates: elliptic curve P-256 except the service account's RSA key. */
export async function createIdentity(): Promise<Identity> {
  const [certificates, apnsKey, serviceAccountKey] = await Promise.all([
    createCertificates(),
    createApnsKey(),
    createServiceAccountKey(),
  ]);
  const projectId = 'nds-sandbox';
  return {
    ...certificates,
    apnsKey,
    apnsKeyId: 'SANDBOXK01',
    teamId: 'SANDBOXT01',
    projectId,
    clientEmail: `sandbox@${projectId}.iam.gserviceaccount.com`,
    clientId: '100000000000000000001',
    privateKeyId: 'sandbox-key-1',
    serviceAccountKey,
  };
}

async function createCertificates() {
  // Imported only here: that takes 70 ms, which a process with a stored identity can save.
  const { generate } = await import('selfsigned');
  const common = {
    keyType: 'ec',
    algorithm: 'sha256',
    // A day early, so that a clock that is a little slow still accepts it.
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + VALID_DAYS * DAY_MS),
  } as const;
  const authority = await generate([{ name: 'commonName', value: 'NDS sandbox authority' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const leaf = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...SERVER_NAMES.dns.map((value) => ({ type: 2, value }) as const),
          ...SERVER_NAMES.ip.map((ip) => ({ type: 7, ip }) as const),
        ],
      },
    ],
  });
  return { ca: authority.cert, certificate: leaf.cert, certificateKey: leaf.private };
}

async function createApnsKey(): Promise<string> {
  const { privateKey } = await makeKeyPair('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

async function createServiceAccountKey(): Promise<string> {
  const { privateKey } = await makeKeyPair('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

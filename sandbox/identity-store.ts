// An identity kept in a directory, with the files that a service is configured with:
// the authority, Apple's `.p8` key and Google's service account.
import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createIdentity, type Identity } from './identity.ts';
import type { Sandbox } from './sandbox.ts';

const IDENTITY_FILE = 'identity.json';
/** One of the names that are missing from the certificates of earlier versions. */
const NEWEST_NAME = 'fcm.googleapis.com';

const identitySchema = z.strictObject({
  ca: z.string(),
  certificate: z.string(),
  certificateKey: z.string(),
  apnsKey: z.string(),
  apnsKeyId: z.string(),
  teamId: z.string(),
  projectId: z.string(),
  clientEmail: z.string(),
  clientId: z.string(),
  privateKeyId: z.string(),
  serviceAccountKey: z.string(),
});

/** The paths of the written files, all with mode 0600. */
export interface CredentialFiles {
  readonly ca: string;
  readonly apnsKey: string;
  readonly serviceAccount: string;
}

/**
 * Loads the directory's identity; makes and stores one if there is none. Throws if the stored one cannot be read; it is
 * never replaced silently.
 */
export async function loadIdentity(directory: string): Promise<Identity> {
  const file = join(directory, IDENTITY_FILE);
  const stored = await readIfPresent(file);
  if (stored !== undefined) {
    try {
      const identity = identitySchema.parse(JSON.parse(stored));
      const names = new X509Certificate(identity.certificate);
      if (names.checkHost(NEWEST_NAME) !== undefined) return identity;
      throw new Error(`its certificate does not name ${NEWEST_NAME}`);
    } catch (cause) {
      throw new Error(`${file} is not an identity of this sandbox; remove it to get a new one`, {
        cause,
      });
    }
  }
  const identity = await createIdentity();
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeSecret(file, JSON.stringify(identity, null, 2));
  return identity;
}

/** Writes the files that a service needs to reach this sandbox; the service account names its port. */
export async function writeCredentials(
  directory: string,
  sandbox: Sandbox,
): Promise<CredentialFiles> {
  const files: CredentialFiles = {
    ca: join(directory, 'ca.pem'),
    apnsKey: join(directory, `AuthKey_${sandbox.apns.keyId}.p8`),
    serviceAccount: join(directory, 'service-account.json'),
  };
  await writeSecret(files.ca, sandbox.ca);
  await writeSecret(files.apnsKey, sandbox.apns.key);
  await writeSecret(files.serviceAccount, JSON.stringify(sandbox.fcm.serviceAccount, null, 2));
  return files;
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  // `writeFile` sets the mode only of new files.
  await chmod(file, 0o600);
}

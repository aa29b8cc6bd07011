// Further certificate authorities for the providers' connections, from a PEM file.

import { X509Certificate } from 'node:crypto';
import { MOVE_TO_FILE, readNamedFile } from './files.ts';

const NAME = 'NDS_PROVIDER_CA_FILE';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** An ASN.1 sequence, which every certificate in DER is. */
const DER_START = 0x30;

/** Node ignores unreadable entries in a list of authorities, so each one is read here first. */
export function readAuthorities(path: string | undefined, faults: string[]): string | undefined {
  if (path === undefined) return undefined;
  const bytes = readNamedFile({ name: NAME, path, forContent: MOVE_TO_FILE }, faults);
  if (bytes === undefined) return undefined;
  const pem = bytes.toString('utf8');
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length > 0 && certificates.every(isCertificate)) return pem;
  faults.push(
    bytes[0] === DER_START
      ? `${NAME} names a file in DER: convert it to PEM with openssl x509 -inform der`
      : `${NAME} names a file that ${certificates.length === 0 ? 'holds no certificate in PEM' : 'holds a certificate that cannot be read'}`,
  );
  return undefined;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).publicKey !== undefined;
  } catch {
    return false;
  }
}

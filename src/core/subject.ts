// The fingerprint under which a notification's subject (payment hash, swap id, transaction id) is found again, in full
// or by its first eight characters, which people read out and other programs print.

import type { Ids } from './ports/ids.ts';

/** How much of a long hexadecimal id finds it. */
export const SUBJECT_PREFIX_CHARACTERS = 8;

/** Long enough to be unguessable, so that eight characters of it are no secret. */
const HEX_ID = /^[0-9a-f]{32,}$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

type Fingerprint = Ids['fingerprint'];

/**
 * 32 lower-case hex digits. Hashes and UUIDs count in any spelling of their hex digits, and their fingerprint begins
 * with that of their first eight characters. Other ids (Boltz' have twelve letters) are found only as a whole.
 */
export function subjectHashOf(fingerprint: Fingerprint, subject: string): string {
  if (!isHex(subject)) return fingerprint(subject);
  const id = subject.toLowerCase();
  const beginning = subjectPrefixHash(fingerprint, id.slice(0, SUBJECT_PREFIX_CHARACTERS));
  return beginning + fingerprint(id).slice(beginning.length);
}

/** How the fingerprints of all subjects with these first eight characters begin: 32 bits. */
export function subjectPrefixHash(fingerprint: Fingerprint, prefix: string): string {
  return fingerprint(`subject prefix\n${prefix.toLowerCase()}`).slice(0, 8);
}

/** The normal form of a subject: the hex digits of hashes and UUIDs in lower case, others as they are. */
export function normalSubject(subject: string): string {
  return isHex(subject) ? subject.toLowerCase() : subject;
}

function isHex(subject: string): boolean {
  return HEX_ID.test(subject) || UUID.test(subject);
}

// A marker for everything that must stay secret: it is put into tokens, bodies, queries, signatures and keys, and
// searched for wherever it must not be.

import { readDatabaseFiles } from '../support/database-files.ts';

export const MARKER = 'fuzzSECRETmarker';
const HEX = Buffer.from(MARKER).toString('hex');
/** An iPhone's token, which is hex. */
export const IOS_MARKER_TOKEN = HEX.padEnd(64, '0');

const FORMS = [MARKER, MARKER.toLowerCase(), HEX, Buffer.from(MARKER).toString('base64url')];

/** The marker with the text around it; undefined if it is not there. */
export function findMarker(text: string): string | undefined {
  const at = FORMS.map((form) => text.indexOf(form)).find((index) => index >= 0);
  return at === undefined ? undefined : text.slice(Math.max(0, at - 80), at + 80);
}

/** The files of a database that contain it as plain text. */
export function filesWithMarker(folder: string): readonly string[] {
  return readDatabaseFiles(folder)
    .filter(({ bytes }) => FORMS.some((form) => bytes.includes(form)))
    .map(({ name }) => name);
}

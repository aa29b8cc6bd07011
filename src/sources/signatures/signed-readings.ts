// What a JavaScript service may have signed: the bytes it sent, or JSON.stringify of the parsed body, as
// the guides of Resmic Pro, PaymentFlow and Payment API show it. Compact JSON makes both the same.

import { decodeBody, parseJson } from '../json.ts';

/** The raw bytes, and the body as JSON.stringify writes it if it is JSON at all. */
export function jsonReadings(body: Uint8Array): readonly Uint8Array[] {
  const serialised = serialise(body);
  return serialised === undefined ? [body] : [body, serialised];
}

function serialise(body: Uint8Array): Uint8Array | undefined {
  try {
    return Buffer.from(JSON.stringify(parseJson(decodeBody(body))));
  } catch {
    // Not JSON, or so deep that the stack ends: the raw bytes alone can be signed, and parsing will refuse.
    return undefined;
  }
}

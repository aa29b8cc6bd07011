// What a service may have signed: the bytes it sent, or a text that it made of the parsed body. The guides
// of Resmic Pro, PaymentFlow and Payment API sign JSON.stringify of it, NOWPayments signs it with sorted keys.

import { decodeBody, parseExactJson, parseJson, sortedJson } from '../json.ts';

/** The raw bytes, and the body as JSON.stringify writes it if it is JSON at all. Compact JSON makes both equal. */
export function jsonReadings(body: Uint8Array): readonly Uint8Array[] {
  return [body, ...readings(() => [JSON.stringify(parseJson(decodeBody(body)))])];
}

/**
 * The body as compact JSON with its keys sorted at every depth: once with the numbers as they were sent, and
 * once as JavaScript writes them (1.0 becomes 1). None if the body is not JSON.
 */
export function sortedReadings(body: Uint8Array): readonly Uint8Array[] {
  return readings(() => {
    const text = decodeBody(body);
    return [sortedJson(parseExactJson(text)), sortedJson(parseJson(text))];
  });
}

function readings(make: () => readonly string[]): readonly Uint8Array[] {
  try {
    return make().map((text) => Buffer.from(text));
  } catch {
    // Not JSON, or nested too deep: no such text can have been signed, and parsing will refuse it.
    return [];
  }
}

// JSON from a service that may not be nds, or from a proxy in front of it.

/** Undefined if the text is not JSON. */
export function parseLoosely(received: string): unknown {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}

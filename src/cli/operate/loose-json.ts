// JSON from a service that may be another one than nds, or from a proxy before it.

/** Nothing for what is no JSON. */
export function parseLoosely(received: string): unknown {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}

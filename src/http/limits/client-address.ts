// The address of the client behind a trusted proxy, from the header in which the proxy writes it.

import type { IncomingMessage } from 'node:http';

const MAX_CHARACTERS = 64;

/** Undefined if no proxy is trusted, or its header is missing or malformed. */
export type ClientAddressOf = (incoming: IncomingMessage) => string | undefined;

/** The last entry of a list counts (`X-Forwarded-For`): only that one was written by the trusted proxy. */
export function createClientAddressOf(header: string | undefined): ClientAddressOf | undefined {
  if (header === undefined) return undefined;
  const name = header.toLowerCase();
  return ({ headers }) => {
    const value = headers[name];
    const address = typeof value === 'string' ? value.split(',').at(-1)?.trim() : undefined;
    return address && address.length <= MAX_CHARACTERS ? address : undefined;
  };
}

// Tells when a caller has left before its answer was written.

import type { ServerResponse } from 'node:http';

/** Aborted when the connection closes before the response was finished. */
export function hangUpSignal(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (outgoing.destroyed) controller.abort();
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) controller.abort();
  });
  return controller.signal;
}
